namespace SmiMetrics.Tests;
public sealed class Placeholder { [Fact] public void Builds() => Assert.Equal(4, 2 + 2); }
