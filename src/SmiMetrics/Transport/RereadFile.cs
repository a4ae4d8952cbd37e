namespace SmiMetrics.Transport;

/// <summary>
/// A file whose content may change, such as a mounted Secret. It is read, not stat'ed: Kubernetes swaps a symbolic link two
/// directories up, of which the file's own times show nothing. When it cannot be read again the last content stays.
/// </summary>
internal sealed class RereadFile(string path, TimeProvider timeProvider)
{
    public static readonly TimeSpan Period = TimeSpan.FromMinutes(1);

    /// <summary>What is wrong with files that flags name: those that are not there, one line for each, in the words of the command line.</summary>
    public static IEnumerable<string> Missing(params IEnumerable<(string Flag, string? File)> named) =>
        named.Where(given => given.File is not null && !File.Exists(given.File)).Select(given => $"{given.Flag} {given.File}: no such file");

    private readonly Lock _lock = new();
    private byte[]? _content;
    private long _readAt;

    /// <summary>The content; the same array as long as it has not changed.</summary>
    /// <exception cref="IOException">The file has never been readable.</exception>
    /// <exception cref="UnauthorizedAccessException">The file has never been readable.</exception>
    public byte[] Content
    {
        get
        {
            lock (_lock)
            {
                if (_content is not null && timeProvider.GetElapsedTime(_readAt) < Period)
                {
                    return _content;
                }

                try
                {
                    byte[] content = File.ReadAllBytes(path);
                    if (_content is null || !_content.AsSpan().SequenceEqual(content))
                    {
                        _content = content;
                    }
                }
                catch (Exception e) when (_content is not null && e is IOException or UnauthorizedAccessException)
                {
                    // Between deletion and replacement the old content is the best there is.
                }

                _readAt = timeProvider.GetTimestamp();
                return _content!;
            }
        }
    }
}
