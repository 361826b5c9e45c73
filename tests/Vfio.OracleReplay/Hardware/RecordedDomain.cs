namespace Vfio.OracleReplay.Hardware;

/// <summary>The bus that a function sat on when it was recorded; of the other functions there, only the number is known.</summary>
internal sealed class RecordedDomain(PciAddress function, int count) : IHotResetDomain
{
    public IReadOnlyList<HotResetFunction> Functions { get; } =
        [.. Enumerable.Range(0, count).Select(i => new HotResetFunction(function.WithRoutingId((ushort)(function.RoutingId + i)), i))];

    public ValueTask<VfioResult> ResetAsync(CancellationToken cancellationToken) => ValueTask.FromResult(VfioResult.Success);
}
