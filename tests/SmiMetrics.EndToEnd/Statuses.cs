using System.Net;
using SmiMetrics.EndToEnd.Harness;

namespace SmiMetrics.EndToEnd;

/// <summary>What must be true of every error.</summary>
internal static class Statuses
{
    /// <summary>A metav1.Status that says the same as the HTTP status, and nothing of what stands behind the server.</summary>
    public static void Assert(HttpAnswer answer, HttpStatusCode code, string reason)
    {
        Xunit.Assert.True(answer.Code == code, $"{(int)code} expected, {(int)answer.Code} answered: {answer.Body}");
        Xunit.Assert.Equal("application/json", answer.ContentType);
        Xunit.Assert.Equal("Status", answer.Json["kind"]!.GetValue<string>());
        Xunit.Assert.Equal("v1", answer.Json["apiVersion"]!.GetValue<string>());
        Xunit.Assert.Equal("Failure", answer.Json["status"]!.GetValue<string>());
        Xunit.Assert.Equal(reason, answer.Json["reason"]!.GetValue<string>());
        Xunit.Assert.Equal((int)code, answer.Json["code"]!.GetValue<int>());
        Xunit.Assert.NotEmpty(answer.Json["message"]!.GetValue<string>());
        Xunit.Assert.DoesNotContain("127.0.0.1", answer.Body, StringComparison.Ordinal);
        Xunit.Assert.DoesNotContain("localhost", answer.Body, StringComparison.Ordinal);
    }
}
