using System.Numerics;
using Vfio.Core.Config;
using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Interrupts;

/// <summary>The hardware's own MSI and MSI-X control words, which the host sets when vectors are enabled, and no guest does.</summary>
internal sealed class MessageControl(IPciFunction function, ConfigMap map, VirtualConfig config)
{
    private readonly int _msi = map.Standard(Msi.Id);
    private readonly int _msix = map.Standard(Msix.Id);

    // Read once: while the function is reset, its registers say nothing.
    private readonly int _msiCount = CountMsi(function, map.Standard(Msi.Id));
    private readonly int _msixCount = CountMsix(function, map.Standard(Msix.Id));

    /// <summary>How many vectors an index has, by the function's registers.</summary>
    public int Count(IrqIndex index) => index switch { IrqIndex.Msi => _msiCount, IrqIndex.Msix => _msixCount, _ => 0 };

    /// <summary>Enables delivery.</summary>
    public void Enable(IrqIndex index, int vectors)
    {
        if (index == IrqIndex.Msix && _msix != 0)
        {
            config.MergeHardware(_msix + Msix.Control, 2, Msix.Enable | Msix.FunctionMask, Msix.Enable);
        }
        else if (index == IrqIndex.Msi && _msi != 0)
        {
            var size = (uint)BitOperations.Log2(BitOperations.RoundUpToPowerOf2((uint)vectors));
            config.MergeHardware(_msi + Msi.Flags, 2, Msi.Enable | Msi.QueueSize, Msi.Enable | (size << Msi.QueueSizeShift));
        }
    }

    /// <summary>Disables delivery.</summary>
    public void Disable(IrqIndex index)
    {
        if (index == IrqIndex.Msix && _msix != 0)
            config.MergeHardware(_msix + Msix.Control, 2, Msix.Enable, 0);
        else if (index == IrqIndex.Msi && _msi != 0)
            config.MergeHardware(_msi + Msi.Flags, 2, Msi.Enable, 0);
    }

    private static int CountMsi(IPciFunction function, int capability)
        => capability == 0 ? 0 : 1 << (int)((function.ReadConfig(capability + Msi.Flags, 2) & Msi.QueueCapable) >> Msi.QueueCapableShift);

    private static int CountMsix(IPciFunction function, int capability)
        => capability == 0 ? 0 : (int)(function.ReadConfig(capability + Msix.Control, 2) & Msix.TableSizeMask) + 1;
}
