using Vfio.Simulation.Pci;

namespace Vfio.Simulation.Nvme.Queues;

/// <summary>
/// Shadow doorbells and event indexes in the host's memory, for I/O queues (the host rings the admin queue's registers). The host stores a
/// doorbell there first, and rings the register only if it passes the event index. Source: NVM Express Base Specification 1.4, 5.7 and
/// 7.13.
/// </summary>
internal sealed class ShadowDoorbells(FunctionDma dma)
{
    private ulong _doorbells;
    private ulong _events;

    internal bool IsOn { get; private set; }

    internal void TurnOn(ulong doorbells, ulong events)
    {
        _doorbells = doorbells;
        _events = events;
        IsOn = true;
    }

    internal void TurnOff() => IsOn = false;

    /// <summary>What the host last stored.</summary>
    /// <returns>False if its memory cannot be read now.</returns>
    internal bool TryRead(int doorbell, out uint value)
    {
        var iova = _doorbells + ((ulong)doorbell * sizeof(uint));
        if (dma.TryAcquire(iova, sizeof(uint), DmaAccess.Read, out var segment))
        {
            using (segment)
                value = Volatile.Read(ref System.Runtime.InteropServices.MemoryMarshal.AsRef<uint>(segment.Span));
            return true;
        }

        value = 0;
        return dma.Read(iova, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<uint>(ref value))).IsSuccess;
    }

    /// <summary>What the device knows of a doorbell, for a queue that existed before or is new.</summary>
    internal bool TryWrite(int doorbell, uint value) => Store(_doorbells, doorbell, value);

    /// <summary>
    /// Asks the host to ring the register once it stores past this value. A full barrier must follow, then one more look at the doorbell.
    /// </summary>
    internal bool TryWriteEvent(int doorbell, uint value) => Store(_events, doorbell, value);

    private bool Store(ulong page, int doorbell, uint value)
    {
        var iova = page + ((ulong)doorbell * sizeof(uint));
        if (dma.TryAcquire(iova, sizeof(uint), DmaAccess.Write, out var segment))
        {
            using (segment)
                Volatile.Write(ref System.Runtime.InteropServices.MemoryMarshal.AsRef<uint>(segment.Span), value);
            return true;
        }

        return dma.Write(iova, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in value))).IsSuccess;
    }
}
