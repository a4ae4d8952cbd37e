using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace SmiMetrics.Api;

/// <summary>
/// Hands out long lists page by page, all pages of one list from one moment: what a first page leaves over is kept until nobody can be
/// expected to come for it. Few lists get here, because most have fewer objects than the 500 that kubectl asks for at once. It is kept in this process
/// alone: a page that is asked of another replica, after a restart or a GOAWAY, is gone (410), as one that was asked for too late.
/// </summary>
/// <param name="mostItems">
/// How many items are kept in all, a list itself counting as much as <see cref="CostOfList"/>; the lists longest unasked for go first. One list may
/// have more.
/// </param>
internal sealed class ListPages(TimeProvider clock, int mostItems)
{
    /// <summary>About as long as kube-apiserver honours its own tokens.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);

    /// <summary>So that many lists of few items each do not add up to more than few of many.</summary>
    public const int CostOfList = 50;

    private const int IdBytes = 12;

    private readonly Lock _lock = new();

    /// <summary>The one longest unasked for first.</summary>
    private readonly LinkedList<Kept> _kept = [];

    private readonly Dictionary<string, LinkedListNode<Kept>> _byId = new(StringComparer.Ordinal);

    private int _cost;

    /// <summary>What is kept, in items.</summary>
    public int Cost
    {
        get
        {
            lock (_lock)
            {
                Expire();
                return _cost;
            }
        }
    }

    /// <summary>The first page of a list.</summary>
    /// <param name="question">What was asked, to the letter: only who asks the same gets the rest.</param>
    public Page<T> Begin<T>(string question, IReadOnlyList<T> items, int? limit)
    {
        if (limit is not { } most || items.Count <= most)
        {
            return new Page<T>(items, null, 0);
        }

        // Whatever a caller asked, and at whatever length.
        string hash = Hash(question);
        string id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes));
        lock (_lock)
        {
            Expire();
            _byId[id] = _kept.AddLast(new Kept(id, hash, items, items.Count + CostOfList, clock.GetUtcNow() + Lifetime));
            _cost += items.Count + CostOfList;
            while (_cost > mostItems && _kept.Count > 1)
            {
                RemoveFirst();
            }
        }

        return PageOf(id, items, 0, most);
    }

    /// <summary>A further page. The same page may be asked for again.</summary>
    /// <exception cref="StatusException">400: the token is none of ours, or belongs to another list; 410: the list is gone.</exception>
    public Page<T> Continue<T>(string question, string token, int? limit)
    {
        (string id, int start) = Read(token);
        lock (_lock)
        {
            Expire();
            if (!_byId.TryGetValue(id, out LinkedListNode<Kept>? node))
            {
                throw new StatusException(Status.Expired());
            }

            if (node.Value.Question != Hash(question) || node.Value.Items is not IReadOnlyList<T> items || start > items.Count)
            {
                throw new StatusException(Status.BadRequest("continue key is not valid: it belongs to another list; path and parameters must stay the same"));
            }

            _kept.Remove(node);
            node.Value = node.Value with { Until = clock.GetUtcNow() + Lifetime };
            _kept.AddLast(node);
            return PageOf(id, items, start, limit ?? items.Count);
        }
    }

    private static Page<T> PageOf<T>(string id, IReadOnlyList<T> items, int start, int limit)
    {
        int end = (int)Math.Min((long)start + limit, items.Count);
        T[] page = [.. items.Skip(start).Take(end - start)];
        int left = items.Count - end;
        return new Page<T>(page, left == 0 ? null : Base64Url.EncodeToString(Encoding.ASCII.GetBytes(FormattableString.Invariant($"{end}.{id}"))), left);
    }

    private static (string Id, int Start) Read(string token)
    {
        if (Base64Url.IsValid(token))
        {
            string[] parts = Encoding.ASCII.GetString(Base64Url.DecodeFromChars(token)).Split('.', 2);
            if (parts is [var start, var id] && int.TryParse(start, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                return (id, number);
            }
        }

        throw new StatusException(Status.BadRequest("continue key is not valid: it is not from this server"));
    }

    private static string Hash(string question) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(question)));

    private void Expire()
    {
        DateTimeOffset now = clock.GetUtcNow();
        while (_kept.First is { Value.Until: var until } && until <= now)
        {
            RemoveFirst();
        }
    }

    private void RemoveFirst()
    {
        _cost -= _kept.First!.Value.Cost;
        _byId.Remove(_kept.First.Value.Id);
        _kept.RemoveFirst();
    }

    private sealed record Kept(string Id, string Question, object Items, int Cost, DateTimeOffset Until);
}

/// <param name="Continue">The token for the next page; null on the last.</param>
/// <param name="Remaining">How many items come after this page.</param>
internal sealed record Page<T>(IReadOnlyList<T> Items, string? Continue, int Remaining);
