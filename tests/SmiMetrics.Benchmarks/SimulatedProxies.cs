using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace SmiMetrics.Benchmarks;

/// <summary>
/// A process with the pages of many proxies, in Linkerd's shape: one template, into which each request writes counters that have grown.
/// Labels are as long as Linkerd's own, and of every six series one is wanted, or whatever was asked for.
/// </summary>
internal static class SimulatedProxies
{
    public const string Command = "simulated-proxies";

    /// <summary>Wide enough for any value to come, so that the page's length and layout stay.</summary>
    private const int ValueWidth = 10;

    private static readonly string[] Bounds =
    [
        "1", "2", "3", "4", "5", "10", "20", "30", "40", "50", "100", "200", "300", "400", "500", "1000", "2000", "3000", "4000", "5000", "10000",
        "20000", "30000", "40000", "50000", "+Inf",
    ];

    /// <summary>Prints its URL and serves until its standard input ends.</summary>
    public static async Task<int> RunAsync(int targets, int kept, int dropped)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using WebApplication app = builder.Build();
        (byte[] template, int[] values) = Template(kept, dropped);
        DateTimeOffset start = TimeProvider.System.GetUtcNow();
        app.Run(async context =>
        {
            context.Response.ContentType = "text/plain; version=0.0.4";
            context.Response.ContentLength = template.Length;
            byte[] page = ArrayPool<byte>.Shared.Rent(template.Length);
            template.CopyTo(page, 0);
            double age = (TimeProvider.System.GetUtcNow() - start).TotalSeconds;
            for (int series = 0; series < values.Length; series++)
            {
                // Each at a speed of its own, from none to 40 a second.
                long value = 1_000_000_000 + (long)(age * (series % 41));
                Utf8Formatter.TryFormat(value, page.AsSpan(values[series], ValueWidth), out _);
            }

            await context.Response.Body.WriteAsync(page.AsMemory(0, template.Length), context.RequestAborted);
            ArrayPool<byte>.Shared.Return(page);
        });
        await app.StartAsync();
        Console.WriteLine($"{app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()} {targets} {template.Length}");
        await Console.In.ReadToEndAsync();
        return 0;
    }

    private static (byte[] Page, int[] Values) Template(int kept, int dropped)
    {
        StringBuilder page = new();
        List<int> values = [];
        void Line(string series)
        {
            page.Append(series).Append(' ');
            values.Add(page.Length);
            page.Append('0', ValueWidth).Append('\n');
        }

        page.Append("# HELP response_total Total count of HTTP responses.\n# TYPE response_total counter\n");
        int written = 0;
        for (int peer = 0; written < kept; peer++)
        {
            string labels = Labels(peer);
            for (int outcome = 0; outcome < 2 && written < kept; outcome++, written++)
            {
                Line($"response_total{{{labels},classification=\"{(outcome == 0 ? "success" : "failure")}\",error=\"\"}}");
            }

            for (int bound = 0; bound < Bounds.Length && written < kept; bound++, written++)
            {
                Line($"response_latency_ms_bucket{{{labels},le=\"{Bounds[bound]}\"}}");
            }
        }

        string[] unwanted = ["control_response_latency_ms_bucket", "tcp_connection_duration_ms_bucket", "tcp_read_bytes_total", "route_response_latency_ms_bucket", "outbound_http_route_backend_requests_total"];
        for (int series = 0; series < dropped; series++)
        {
            Line($"{unwanted[series * unwanted.Length / dropped]}{{{Labels(series / 26)},le=\"{Bounds[series % Bounds.Length]}\"}}");
        }

        return (Encoding.ASCII.GetBytes(page.ToString()), [.. values]);
    }

    private static string Labels(int peer) => peer % 3 == 0
        ? string.Create(CultureInfo.InvariantCulture, $"direction=\"inbound\",target_addr=\"10.42.{peer}.7:8080\",target_ip=\"10.42.{peer}.7\",target_port=\"8080\",tls=\"true\",client_id=\"caller-{peer}.shop.serviceaccount.identity.linkerd.cluster.local\",srv_group=\"\",srv_kind=\"default\",srv_name=\"all-unauthenticated\",route_group=\"\",route_kind=\"default\",route_name=\"default\",status_code=\"200\"")
        : string.Create(CultureInfo.InvariantCulture, $"direction=\"outbound\",authority=\"peer-{peer}.shop.svc.cluster.local:8080\",target_addr=\"10.42.{peer}.7:8080\",target_ip=\"10.42.{peer}.7\",target_port=\"8080\",tls=\"true\",server_id=\"peer-{peer}.shop.serviceaccount.identity.linkerd.cluster.local\",dst_control_plane_ns=\"linkerd\",dst_deployment=\"peer-{peer}\",dst_namespace=\"shop\",dst_pod=\"peer-{peer}-7d4b9c6f5d-x2x{peer}\",dst_pod_template_hash=\"7d4b9c6f5d\",dst_service=\"peer-{peer}\",dst_serviceaccount=\"peer-{peer}\",status_code=\"200\"");
}
