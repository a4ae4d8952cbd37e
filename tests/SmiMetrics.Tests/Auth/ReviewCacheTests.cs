using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Auth;

namespace SmiMetrics.Tests.Auth;

public sealed class ReviewCacheTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _asked = [];

    [Fact]
    public async Task The_answers_that_were_not_used_for_longest_go_first()
    {
        ReviewCache<string> cache = New(capacity: 3);
        foreach (string question in new[] { "a", "b", "c", "a", "d" })
        {
            await AskAsync(cache, question);
        }

        Assert.Equal(3, cache.Count);
        _asked.Clear();
        foreach (string question in new[] { "a", "c", "d" })
        {
            await AskAsync(cache, question);
        }

        Assert.Empty(_asked);
        await AskAsync(cache, "b");
        Assert.Equal(["b"], _asked);
    }

    [Fact]
    public async Task However_many_questions_come_no_more_than_the_bound_are_kept()
    {
        ReviewCache<string> cache = New(capacity: 100);
        for (int i = 0; i < 10_000; i++)
        {
            await AskAsync(cache, $"{i}");
        }

        Assert.Equal(100, cache.Count);
    }

    [Fact]
    public async Task What_is_too_old_is_asked_again_and_use_does_not_make_it_younger()
    {
        ReviewCache<string> cache = New(capacity: 3);
        await AskAsync(cache, "a");
        _time.Advance(TimeSpan.FromSeconds(6));
        await AskAsync(cache, "a");
        _time.Advance(TimeSpan.FromSeconds(4));
        await AskAsync(cache, "a");
        Assert.Equal(["a", "a"], _asked);
        Assert.Equal(1, cache.Count);
    }

    [Fact]
    public async Task A_failure_is_for_all_who_wait_and_for_nobody_later()
    {
        ReviewCache<string> cache = New(capacity: 3);
        TaskCompletionSource<string> answer = new();
        Task<string>[] waiting = [.. Enumerable.Range(0, 3).Select(_ => cache.AskAsync("a", keep: true, () => answer.Task, CancellationToken.None))];
        answer.SetException(new IOException("gone"));
        foreach (Task<string> one in waiting)
        {
            await Assert.ThrowsAsync<IOException>(() => one);
        }

        Assert.Equal("a!", await AskAsync(cache, "a"));
    }

    private ReviewCache<string> New(int capacity) => new(capacity, _ => TimeSpan.FromSeconds(10), _time);

    private Task<string> AskAsync(ReviewCache<string> cache, string question) => cache.AskAsync(
        question,
        keep: true,
        () =>
        {
            _asked.Add(question);
            return Task.FromResult(question + "!");
        },
        CancellationToken.None);
}
