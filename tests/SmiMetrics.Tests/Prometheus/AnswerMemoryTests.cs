using SmiMetrics.Prometheus;
using SmiMetrics.Traffic;

namespace SmiMetrics.Tests.Prometheus;

public sealed class AnswerMemoryTests
{
    private static readonly DateTimeOffset Start = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);

    [Fact]
    public void The_oldest_answers_go_when_there_are_too_many_rows()
    {
        AnswerMemory memory = new(maxRows: 50, TimeSpan.FromMinutes(1));
        memory.Remember(Query(1), Answer(rows: 12, second: 0));
        memory.Remember(Query(2), Answer(rows: 12, second: 1));
        memory.Remember(Query(3), Answer(rows: 12, second: 2));

        Assert.Null(memory.Find(Query(1)));
        Assert.NotNull(memory.Find(Query(2)));
        Assert.NotNull(memory.Find(Query(3)));
        Assert.InRange(memory.Weight, 0, 50);
    }

    [Fact]
    public void Empty_answers_do_not_pile_up_either()
    {
        AnswerMemory memory = new(maxRows: 1000, TimeSpan.FromMinutes(1));
        for (int i = 0; i < 10_000; i++)
        {
            memory.Remember(Query(i), Answer(rows: 0, second: 0));
        }

        Assert.InRange(memory.Weight, 1, 1000);
        Assert.InRange(Enumerable.Range(0, 10_000).Count(i => memory.Find(Query(i)) is not null), 1, 1000);
    }

    [Fact]
    public void An_answer_that_would_push_out_all_others_is_not_remembered()
    {
        AnswerMemory memory = new(maxRows: 50, TimeSpan.FromMinutes(1));
        memory.Remember(Query(1), Answer(rows: 1, second: 0));
        memory.Remember(Query(2), Answer(rows: 51, second: 1));

        Assert.NotNull(memory.Find(Query(1)));
        Assert.Null(memory.Find(Query(2)));
    }

    [Fact]
    public void A_newer_answer_replaces_an_older_one_and_never_the_other_way_round()
    {
        AnswerMemory memory = new(maxRows: 50, TimeSpan.FromMinutes(1));
        IncreaseAnswer newer = Answer(rows: 1, second: 5);
        memory.Remember(Query(1), Answer(rows: 1, second: 0));
        memory.Remember(Query(1), newer);
        memory.Remember(Query(1), Answer(rows: 1, second: 3));

        Assert.Same(newer, memory.Find(Query(1)));
    }

    [Fact]
    public void Expired_answers_are_swept_and_a_renewed_one_outlives_its_predecessor()
    {
        AnswerMemory memory = new(maxRows: 500, TimeSpan.FromSeconds(60));
        memory.Remember(Query(1), Answer(rows: 1, second: 0));
        memory.Remember(Query(2), Answer(rows: 1, second: 0));
        memory.Remember(Query(1), Answer(rows: 1, second: 30));

        memory.Sweep(Start.AddSeconds(60));
        Assert.NotNull(memory.Find(Query(2)));
        memory.Sweep(Start.AddSeconds(61));
        Assert.Null(memory.Find(Query(2)));
        Assert.NotNull(memory.Find(Query(1)));
        memory.Sweep(Start.AddSeconds(91));
        Assert.Null(memory.Find(Query(1)));
        Assert.Equal(0, memory.Weight);
    }

    /// <summary>One big query asked every few seconds once filled the memory with its own past and pushed out everybody else's answers.</summary>
    [Fact]
    public void An_answer_that_is_renewed_again_and_again_pushes_nobody_out()
    {
        AnswerMemory memory = new(maxRows: 100, TimeSpan.FromMinutes(1));
        memory.Remember(Query(1), Answer(rows: 10, second: 0));
        for (int second = 0; second < 50; second += 5)
        {
            memory.Remember(Query(2), Answer(rows: 40, second));
        }

        Assert.NotNull(memory.Find(Query(1)));
        Assert.Equal(10 + 40 + (2 * 8), memory.Weight);
    }

    [Fact]
    public void Without_a_lifetime_nothing_is_remembered()
    {
        AnswerMemory memory = new(maxRows: 500, TimeSpan.Zero);
        memory.Remember(Query(1), Answer(rows: 1, second: 0));

        Assert.Null(memory.Find(Query(1)));
    }

    private static IncreaseQuery Query(int seconds) => new("x", [], [], TimeSpan.FromSeconds(seconds + 1));

    private static IncreaseAnswer Answer(int rows, int second) =>
        new(new IncreaseRow[rows], Start.AddSeconds(second), [], StaleBecause: null);
}
