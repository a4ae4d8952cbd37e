namespace SmiMetrics.Meshes;

/// <summary>
/// A text with placeholders, such as <c>{services}_{namespaces}_svc_{*}[-{hex}]</c>, that serves both ways: with names put in it
/// becomes a regular expression for a matcher, and held against a label value it yields the names. A placeholder is the plural
/// name of a kind, <c>namespaces</c>, <c>*</c> (anything) or <c>hex</c> (16 hexadecimal digits); square brackets enclose what may be missing.
/// </summary>
internal sealed class NamePattern
{
}
