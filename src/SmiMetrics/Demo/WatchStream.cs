using System.Text;
using System.Text.Json.Nodes;

namespace SmiMetrics.Demo;

/// <summary>
/// The body of a watch: a line for every object that has changed whenever the cluster has, or a bookmark. It is made when the reader waits
/// for it, so that nothing runs on when the reader has gone. Ends at its time.
/// </summary>
internal sealed class WatchStream(
    SimulatedCluster cluster,
    ClusterDocuments documents,
    ServedResource resource,
    bool metadataOnly,
    TimeSpan since,
    TimeSpan until,
    TimeProvider clock) : Stream
{
    /// <summary>As kube-apiserver does, about once a minute.</summary>
    private static readonly TimeSpan BookmarkInterval = TimeSpan.FromMinutes(1);

    private TimeSpan _seen = since;
    private ReadOnlyMemory<byte> _unread;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_unread.IsEmpty && _seen < until)
        {
            TimeSpan next = Earliest(cluster.NextChange(_seen) ?? until, _seen + BookmarkInterval, until);
            if (next - cluster.Age is { Ticks: > 0 } wait)
            {
                // A timer may fire a little early, and has whole milliseconds only: then once more around.
                await Task.Delay(wait, clock, cancellationToken);
                continue;
            }

            _unread = Encoding.UTF8.GetBytes(string.Concat(Events(_seen, next)));
            _seen = next;
        }

        int count = Math.Min(buffer.Length, _unread.Length);
        _unread[..count].CopyTo(buffer);
        _unread = _unread[count..];
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>The document as it goes to a client.</summary>
    public static JsonObject Versioned(JsonObject document, string resourceVersion, bool metadataOnly)
    {
        JsonObject metadata = document["metadata"]!.DeepClone().AsObject();
        metadata["resourceVersion"] = resourceVersion;
        JsonObject sent = metadataOnly
            ? new JsonObject { ["kind"] = "PartialObjectMetadata", ["apiVersion"] = "meta.k8s.io/v1" }
            : document.DeepClone().AsObject();
        sent["metadata"] = metadata;
        return sent;
    }

    private IEnumerable<string> Events(TimeSpan before, TimeSpan now)
    {
        string version = SimulatedApiServer.VersionOf(now);
        Dictionary<string, JsonObject> old = ByName(before);
        Dictionary<string, JsonObject> current = ByName(now);
        bool any = false;
        foreach ((string name, JsonObject document) in current)
        {
            if (!old.Remove(name, out JsonObject? was))
            {
                any = true;
                yield return Event("ADDED", document, version);
            }
            else if (!JsonNode.DeepEquals(was, document))
            {
                any = true;
                yield return Event("MODIFIED", document, version);
            }
        }

        foreach (JsonObject document in old.Values)
        {
            any = true;
            yield return Event("DELETED", document, version);
        }

        if (!any)
        {
            JsonObject empty = new() { ["kind"] = resource.Kind, ["apiVersion"] = resource.ApiVersion, ["metadata"] = new JsonObject() };
            yield return Event("BOOKMARK", empty, version);
        }
    }

    private string Event(string type, JsonObject document, string version) =>
        new JsonObject { ["type"] = type, ["object"] = Versioned(document, version, metadataOnly) }.ToJsonString() + "\n";

    private Dictionary<string, JsonObject> ByName(TimeSpan age) =>
        documents.At(age, resource).ToDictionary(document => $"{document["metadata"]!["namespace"]}/{document["metadata"]!["name"]}");

    private static TimeSpan Earliest(params ReadOnlySpan<TimeSpan> times)
    {
        TimeSpan earliest = times[0];
        foreach (TimeSpan time in times[1..])
        {
            earliest = time < earliest ? time : earliest;
        }

        return earliest;
    }
}
