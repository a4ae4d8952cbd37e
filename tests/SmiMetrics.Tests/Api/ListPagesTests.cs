using System.Text;
using Microsoft.Extensions.Time.Testing;
using SmiMetrics.Api;

namespace SmiMetrics.Tests.Api;

public sealed class ListPagesTests
{
    private const string Question = "/a&labelSelector=";

    private readonly FakeTimeProvider _clock = new();
    private readonly ListPages _pages;

    public ListPagesTests() => _pages = new ListPages(_clock, mostItems: 100 + (2 * ListPages.CostOfList));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(9)]
    [InlineData(10)]
    public void All_pages_together_are_the_list(int limit)
    {
        int[] all = [.. Enumerable.Range(0, 10)];
        List<int> read = [];
        Page<int> page = _pages.Begin(Question, all, limit);
        while (true)
        {
            read.AddRange(page.Items);
            Assert.Equal(all.Length - read.Count, page.Remaining);
            Assert.Equal(page.Remaining == 0, page.Continue is null);
            if (page.Continue is null)
            {
                break;
            }

            Assert.Equal(limit, page.Items.Count);
            page = _pages.Continue<int>(Question, page.Continue, limit);
        }

        Assert.Equal(all, read);
    }

    [Fact]
    public void A_list_that_fits_on_a_page_is_not_kept()
    {
        Assert.Null(_pages.Begin(Question, [1, 2, 3], 3).Continue);
        Assert.Null(_pages.Begin(Question, [1, 2, 3], null).Continue);
        Assert.Equal(0, _pages.Cost);
    }

    [Fact]
    public void A_page_may_be_asked_for_again_and_without_a_limit()
    {
        string token = _pages.Begin(Question, [1, 2, 3, 4, 5], 2).Continue!;
        Assert.Equal([3, 4], _pages.Continue<int>(Question, token, 2).Items);
        Assert.Equal([3, 4], _pages.Continue<int>(Question, token, 2).Items);
        Assert.Equal([3, 4, 5], _pages.Continue<int>(Question, token, null).Items);
        Assert.Equal([3, 4, 5], _pages.Continue<int>(Question, token, int.MaxValue).Items);
    }

    [Fact]
    public void A_list_is_gone_when_nobody_came_for_it()
    {
        string token = _pages.Begin(Question, [1, 2, 3], 1).Continue!;
        _clock.Advance(ListPages.Lifetime - TimeSpan.FromSeconds(1));
        token = _pages.Continue<int>(Question, token, 1).Continue!;
        _clock.Advance(ListPages.Lifetime - TimeSpan.FromSeconds(1));
        Assert.Equal([3], _pages.Continue<int>(Question, token, 1).Items);
        _clock.Advance(ListPages.Lifetime);
        Status gone = Assert.Throws<StatusException>(() => _pages.Continue<int>(Question, token, 1)).Status;
        Assert.Equal((410, "Expired"), (gone.Code, gone.Reason));
        Assert.Equal(0, _pages.Cost);
    }

    [Fact]
    public void The_list_longest_unasked_for_makes_room()
    {
        string first = _pages.Begin(Question, new int[40], 1).Continue!;
        string second = _pages.Begin(Question, new int[40], 1).Continue!;
        _pages.Continue<int>(Question, first, 1);
        _pages.Begin(Question, new int[40], 1);
        Assert.Equal(80 + (2 * ListPages.CostOfList), _pages.Cost);
        Assert.Equal(410, Assert.Throws<StatusException>(() => _pages.Continue<int>(Question, second, 1)).Status.Code);
        Assert.Equal(39, _pages.Continue<int>(Question, first, null).Items.Count);
    }

    [Fact]
    public void One_list_may_be_longer_than_all_that_is_kept()
    {
        string token = _pages.Begin(Question, new int[1000], 500).Continue!;
        Assert.Equal(500, _pages.Continue<int>(Question, token, 500).Items.Count);
    }

    /// <summary>A token that was got in one namespace must not open another's list.</summary>
    [Fact]
    public void A_token_is_good_for_its_own_question_only()
    {
        string token = _pages.Begin(Question, [1, 2, 3], 1).Continue!;
        StatusException refused = Assert.Throws<StatusException>(() => _pages.Continue<int>("/b&labelSelector=", token, 1));
        Assert.Equal("continue key is not valid: it belongs to another list; path and parameters must stay the same", refused.Message);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("!!")]
    [InlineData("MQ")]
    [InlineData("LTEuYWJj")] // -1.abc
    [InlineData("eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ")] // kube-apiserver's
    public void A_token_that_is_none_of_ours_is_a_bad_request(string token) =>
        Assert.Equal(400, Assert.Throws<StatusException>(() => _pages.Continue<int>(Question, token, 1)).Status.Code);

    [Fact]
    public void A_token_that_leads_beyond_the_end_is_a_bad_request()
    {
        string token = _pages.Begin(Question, [1, 2, 3], 1).Continue!;
        string text = Encoding.ASCII.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(token));
        string beyond = System.Buffers.Text.Base64Url.EncodeToString(Encoding.ASCII.GetBytes("9" + text[text.IndexOf('.')..]));
        Assert.Equal(400, Assert.Throws<StatusException>(() => _pages.Continue<int>(Question, beyond, 1)).Status.Code);
    }
}
