namespace Vfio.Simulation.Pci;

/// <summary>
/// A bus below a port, which a reset of its link takes down as a whole. Every device on it is its PF first, and then its VFs. Source: PCI
/// Express Base Specification, 6.6.1 and 9.2.1.2.
/// </summary>
/// <param name="devices">The functions of each device on it, the PF first.</param>
/// <param name="firstGroup">IOMMU group of the first function; each function has one of its own.</param>
internal sealed class SimulatedBus(IReadOnlyList<IReadOnlyList<SimulatedFunction>> devices, int firstGroup) : IHotResetDomain
{
    public IReadOnlyList<HotResetFunction> Functions { get; } =
        [.. devices.SelectMany(d => d).OrderBy(f => f.Address).Select((f, i) => new HotResetFunction(f.Address, firstGroup + i))];

    public async ValueTask<VfioResult> ResetAsync(CancellationToken cancellationToken)
    {
        // A PF's reset clears VF Enable, and its VFs end with it.
        await Task.WhenAll(devices.Select(d => d[0].ResetAsync())).WaitAsync(cancellationToken).ConfigureAwait(false);
        return VfioResult.Success;
    }

    /// <summary>Puts every device on the bus that its address names. Bus 0 is a root bus, which nothing resets.</summary>
    internal static void Connect(IEnumerable<IReadOnlyList<SimulatedFunction>> devices)
    {
        var group = 0;
        foreach (var below in devices.Where(d => d[0].Address.Bus != 0).GroupBy(d => (d[0].Address.Segment, d[0].Address.Bus)))
        {
            var bus = new SimulatedBus([.. below], group);
            group += bus.Functions.Count;
            foreach (var function in below.SelectMany(d => d))
                function.HotResetDomain = bus;
        }
    }
}
