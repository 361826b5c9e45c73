using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Queues;
using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Nvme;

/// <summary>
/// BAR0: which part of it an access concerns. Registers are dwords; wider accesses are two of them, narrower writes are dropped.
/// Thread-safe.
/// </summary>
internal sealed class RegisterWindow(
    ControllerRegisters registers, DoorbellMemory doorbells, BarLayout layout, FunctionInterrupts interrupts)
{
    internal ulong Read(int offset, int width) => width switch
    {
        8 => ReadDword(offset) | ((ulong)ReadDword(offset + 4) << 32),
        4 => ReadDword(offset),
        _ => (ReadDword(offset & ~3) >> ((offset & 3) * 8)) & ConfigSpace.Ones(width),
    };

    internal void Write(int offset, int width, ulong value)
    {
        if (width < 4)
            return;
        WriteDword(offset, (uint)value);
        if (width == 8)
            WriteDword(offset + 4, (uint)(value >> 32));
    }

    private uint ReadDword(int offset)
    {
        if (offset < BarLayout.Doorbells)
            return registers.Read(offset);
        if (offset < BarLayout.Table)
            return doorbells.Read((offset - BarLayout.Doorbells) / sizeof(uint));
        if (offset < BarLayout.Table + interrupts.TableBytes)
            return interrupts.ReadTable((offset - BarLayout.Table) / sizeof(uint));
        if (offset >= layout.Pending && offset < layout.Pending + interrupts.PendingBytes)
            return interrupts.ReadPending((offset - layout.Pending) / sizeof(uint));
        return 0;
    }

    private void WriteDword(int offset, uint value)
    {
        if (offset < BarLayout.Doorbells)
            registers.Write(offset, value);
        else if (offset < BarLayout.Table)
            doorbells.Ring((offset - BarLayout.Doorbells) / sizeof(uint), value);
        else if (offset < BarLayout.Table + interrupts.TableBytes)
            interrupts.WriteTable((offset - BarLayout.Table) / sizeof(uint), value);
    }
}
