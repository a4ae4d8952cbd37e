using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace SmiMetrics.EndToEnd.Harness;

/// <summary>HTTP servers inside the test process, on ports of 127.0.0.1 that the system chooses.</summary>
internal static class LoopbackServer
{
    public static WebApplication Create(int ports = 1)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        // The usual lifetime takes Ctrl-C and SIGTERM for itself, and the test run would not end by them.
        builder.Services.AddSingleton<IHostLifetime, Unattended>();
        WebApplication server = builder.Build();
        for (int port = 0; port < ports; port++)
        {
            server.Urls.Add("http://127.0.0.1:0");
        }

        return server;
    }

    /// <summary>Where a started server listens.</summary>
    public static Uri Address(this WebApplication server) => server.Addresses().Single();

    /// <inheritdoc cref="Address"/>
    public static IEnumerable<Uri> Addresses(this WebApplication server) =>
        server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(address => new Uri(address));

    private sealed class Unattended : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
