using System.Text;

namespace SmiMetrics.Transport;

/// <summary>Our own credentials cannot be used. The message is a few words without the files' names, fit for a log.</summary>
internal sealed class CredentialsException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>A bearer token or password in a file of one line, which is read again at most once a minute: Kubernetes renews its tokens.</summary>
internal sealed class SecretFile(string path, TimeProvider timeProvider)
{
    private readonly RereadFile _file = new(path, timeProvider);

    /// <summary>The line, without the white space around it.</summary>
    /// <exception cref="CredentialsException">The file cannot be read, or cannot stand in a request header.</exception>
    public string Text
    {
        get
        {
            try
            {
                string text = Encoding.UTF8.GetString(_file.Content).Trim();
                return text.Any(char.IsControl)
                    ? throw new CredentialsException("the token or password file has more than one line, or control characters")
                    : text;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new CredentialsException("the token or password file cannot be read", e);
            }
        }
    }
}
