namespace SmiMetrics.Api;

/// <summary>What <c>kubectl get</c> prints (apimachinery <c>pkg/apis/meta/v1/types.go</c>, Table).</summary>
internal sealed record Table(
    string Kind, string ApiVersion, ListMeta Metadata, IReadOnlyList<TableColumnDefinition> ColumnDefinitions, IReadOnlyList<TableRow> Rows);

/// <param name="Type">As in OpenAPI.</param>
/// <param name="Format"><c>name</c> for the column of names.</param>
/// <param name="Priority">Zero is always shown, others with <c>-o wide</c>.</param>
internal sealed record TableColumnDefinition(string Name, string Type, string Format, string Description, int Priority);

/// <param name="Object">What <c>-A</c>, <c>-L</c>, <c>--show-labels</c> and <c>--sort-by</c> read: an object, its metadata, or null.</param>
internal sealed record TableRow(IReadOnlyList<string> Cells, object? Object);

/// <summary>An object of which only the metadata is told.</summary>
internal sealed record PartialObjectMetadata(string Kind, string ApiVersion, ObjectMeta Metadata);

internal sealed record PartialObjectMetadataList(string Kind, string ApiVersion, ListMeta Metadata, IReadOnlyList<PartialObjectMetadata> Items);

/// <summary>A column and what is in it.</summary>
/// <param name="Name">kubectl prints it in capitals.</param>
/// <param name="Description">A sentence, for those who ask what a column means.</param>
/// <param name="Cell">Never empty: what there is not is <see cref="Cell.None"/>.</param>
internal sealed record Column<T>(string Name, string Description, Func<T, string> Cell)
{
    /// <summary>Whether it is shown with <c>-o wide</c> only.</summary>
    public bool Wide { get; init; }

    /// <summary>Whether it has the objects' names.</summary>
    public bool IsName { get; init; }

    public TableColumnDefinition Definition => new(Name, "string", IsName ? "name" : "", Description, Wide ? 1 : 0);
}

/// <summary>All forms of the objects of a resource.</summary>
/// <param name="Metadata">Of an object.</param>
/// <param name="Whole">The object, of a type that <see cref="ApiJson"/> knows.</param>
/// <param name="List">The list of these, likewise.</param>
/// <param name="Warnings">What a reader of these must know whatever the form: a table has no place for it.</param>
internal sealed record Forms<T>(
    Func<T, ObjectMeta> Metadata,
    Func<T, object> Whole,
    Func<ListMeta, IReadOnlyList<T>, object> List,
    IReadOnlyList<Column<T>> Columns,
    Func<IReadOnlyList<T>, IEnumerable<string>> Warnings)
{
    public object Of(T item, Representation representation) => representation.Form switch
    {
        ObjectForm.Table => ToTable(new ListMeta(Metadata(item).SelfLink), [item], representation),
        ObjectForm.Metadata => Partial(item, representation),
        _ => Whole(item),
    };

    public object Of(ListMeta meta, IReadOnlyList<T> items, Representation representation) => representation.Form switch
    {
        ObjectForm.Table => ToTable(meta, items, representation),
        ObjectForm.Metadata => new PartialObjectMetadataList(
            "PartialObjectMetadataList", representation.MetaApiVersion, meta, [.. items.Select(item => Partial(item, representation))]),
        _ => List(meta, items),
    };

    private Table ToTable(ListMeta meta, IReadOnlyList<T> items, Representation representation) => new(
        "Table",
        representation.MetaApiVersion,
        meta,
        [.. Columns.Select(column => column.Definition)],
        [.. items.Select(item => new TableRow(
            [.. Columns.Select(column => column.Cell(item))],
            representation.RowObject switch
            {
                RowObject.Metadata => Partial(item, representation),
                RowObject.Object => Whole(item),
                _ => null,
            }))]);

    private PartialObjectMetadata Partial(T item, Representation representation) =>
        new("PartialObjectMetadata", representation.MetaApiVersion, Metadata(item));
}

/// <summary>How values look in a table: short, without blanks, and never more than is known.</summary>
internal static class Cell
{
    /// <summary>There is no such value.</summary>
    public const string None = "-";

    /// <summary>Two decimals, of which rounding never makes all or nothing: one failure in a million is not 100 %.</summary>
    public static string Percent(double part, double rest)
    {
        double percent = Math.Round(100 * part / (part + rest), 2, MidpointRounding.AwayFromZero);
        percent = part > 0 && rest > 0 ? Math.Clamp(percent, 0.01, 99.99) : percent;
        return Invariant($"{percent:0.00}%");
    }

    /// <param name="perSecond">Not negative.</param>
    public static string Rate(double perSecond) => perSecond switch
    {
        0 => "0",
        < 0.0005 => "<0.001",
        < 0.9995 => Invariant($"{perSecond:0.###}"),
        _ => Invariant($"{perSecond:0.0}"),
    };

    /// <summary>Three digits, in the unit that needs no more before the point.</summary>
    public static string Latency(double? milliseconds) => milliseconds switch
    {
        null => None,
        0 => "0ms",
        < 0.001 => "<1µs",
        < 0.9995 => Invariant($"{Digits(milliseconds.Value * 1000)}µs"),
        < 999.5 => Invariant($"{Digits(milliseconds.Value)}ms"),
        _ => Invariant($"{Digits(milliseconds.Value / 1000)}s"),
    };

    /// <summary>Extrapolated counts are rarely whole; more than one decimal nobody counts by.</summary>
    public static string Count(double count) => count is > 0 and < 0.05 ? "<0.1" : Invariant($"{count:0.#}");

    private static string Digits(double value) => value switch
    {
        < 9.995 => Invariant($"{value:0.##}"),
        < 99.95 => Invariant($"{value:0.#}"),
        _ => Invariant($"{value:0}"),
    };

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
