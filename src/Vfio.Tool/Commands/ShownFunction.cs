using Vfio.Tool.Config;

namespace Vfio.Tool.Commands;

/// <summary>
/// A function as <c>vfio show --json</c> has it. Hot reset: every function that a reset of its slot or bus takes with it. Migration state:
/// null where the device does not migrate.
/// </summary>
internal sealed record ShownFunction(
    string Address,
    string Kind,
    string? Parent,
    FunctionIds Ids,
    string? Model,
    string Driver,
    string? Degraded,
    string Profile,
    IReadOnlyList<DecodedRegister> Header,
    IReadOnlyList<DecodedCapability> Capabilities,
    IReadOnlyList<ShownRegion> Regions,
    IReadOnlyList<ShownIrq> Irqs,
    IReadOnlyList<string> HotReset,
    IReadOnlyList<string> Features,
    IReadOnlyList<string> Migration,
    ShownMigration? MigrationState,
    IReadOnlyList<KeyValuePair<string, string>> Description,
    string? Hex);

/// <summary>A region of an open device.</summary>
internal sealed record ShownRegion(
    int Index, string Name, ulong Size, string Flags, string? Kind, string? Base, IReadOnlyList<RegionArea>? MappableAreas);

/// <summary>An IRQ index of an open device.</summary>
internal sealed record ShownIrq(string Name, uint Count, string Flags);

/// <summary>Where an open device is in its migration. A value that it did not tell is null, and the errno says why.</summary>
internal sealed record ShownMigration(MigrationState? State, ulong? DataSize, Errno? Error)
{
    public static async Task<ShownMigration?> OfAsync(IMigrationOps? migration, CancellationToken cancellationToken)
    {
        if (migration is null)
            return null;
        var state = await migration.GetStateAsync(cancellationToken).ConfigureAwait(false);
        var size = await migration.GetDataSizeAsync(cancellationToken).ConfigureAwait(false);
        return new(
            state.IsSuccess ? state.Value : null,
            size.IsSuccess ? size.Value : null,
            !state.IsSuccess ? state.Error : !size.IsSuccess ? size.Error : null);
    }

    public override string ToString()
        => $"{State?.ToString() ?? "not told"}, STOP_COPY {(DataSize is { } size ? $"{size} bytes" : "not told")}"
            + (Error is { } error ? $" ({error})" : string.Empty);
}
