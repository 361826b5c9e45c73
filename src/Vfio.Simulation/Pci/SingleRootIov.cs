namespace Vfio.Simulation.Pci;

/// <summary>SR-IOV of a PF: which VFs exist and whether their memory decodes. Source: PCI Express Base Specification, 9.3.3.</summary>
internal sealed class SingleRootIov
{
    private readonly ConfigSpace _config;
    private readonly int _capability;

    /// <param name="physicalFunction">Address of the PF.</param>
    /// <param name="config">Its configuration space.</param>
    /// <param name="capability">Where the SR-IOV capability lies in it.</param>
    internal SingleRootIov(PciAddress physicalFunction, ConfigSpace config, int capability)
    {
        PhysicalFunction = physicalFunction;
        _config = config;
        _capability = capability;
        config.OnWrite(capability + Capabilities.SingleRoot.Control, OnControl);
        config.OnWrite(capability + Capabilities.SingleRoot.NumVfs, OnNumVfs);
    }

    internal PciAddress PhysicalFunction { get; }

    /// <summary>Runs when VF Enable goes from set to clear: the VFs cease to exist.</summary>
    internal Action? Disabled { get; set; }

    internal bool MemoryEnabled => (Control & Capabilities.SingleRoot.VfMemoryEnable) != 0;

    internal bool IsEnabled(int index) => (Control & Capabilities.SingleRoot.VfEnable) != 0 && index < NumVfs;

    /// <summary>What a host does that wants VFs: NumVFs, then VF Enable and VF MSE.</summary>
    internal void Enable(int count)
    {
        _config.Write(_capability + Capabilities.SingleRoot.NumVfs, 2, (uint)count);
        const uint Enabled = Capabilities.SingleRoot.VfEnable | Capabilities.SingleRoot.VfMemoryEnable;
        _config.Write(_capability + Capabilities.SingleRoot.Control, 2, Enabled);
    }

    private uint Control => _config.Read(_capability + Capabilities.SingleRoot.Control, 2);

    private uint NumVfs => _config.Read(_capability + Capabilities.SingleRoot.NumVfs, 2);

    private void OnControl(ConfigWrite write)
    {
        if ((write.Before & ~write.After & Capabilities.SingleRoot.VfEnable) != 0)
            Disabled?.Invoke();
    }

    // NumVFs must not change under VFs that exist.
    private void OnNumVfs(ConfigWrite write)
    {
        if ((Control & Capabilities.SingleRoot.VfEnable) != 0)
            _config.Set(_capability + Capabilities.SingleRoot.NumVfs, 0xFFFF, write.Before);
    }
}
