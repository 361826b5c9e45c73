using Microsoft.Win32.SafeHandles;

namespace Vfio;

/// <summary>One range of I/O virtual addresses that a client has mapped. Base class: memory of this process. Thread-safe.</summary>
public unsafe class DmaMap : DmaHold
{
    private const int Closed = int.MinValue;
    private readonly byte* _address;
    private readonly object _unused = new();
    private int _state;

    /// <summary>Creates a map over memory that the caller keeps until <see cref="OnUnmapped"/>.</summary>
    /// <param name="iova">First I/O virtual address.</param>
    /// <param name="size">Bytes, at least 1; the end must not wrap.</param>
    /// <param name="access">What the device may do.</param>
    /// <param name="address">The memory; null where the process cannot, or must not, touch it directly.</param>
    public DmaMap(ulong iova, ulong size, DmaAccess access, void* address)
    {
        ArgumentOutOfRangeException.ThrowIfZero(size);
        if (iova + (size - 1) < iova)
            throw new ArgumentOutOfRangeException(nameof(size), "the range wraps");
        Iova = iova;
        Size = size;
        Access = access;
        _address = (byte*)address;
    }

    /// <summary>First I/O virtual address.</summary>
    public ulong Iova { get; }

    /// <summary>Bytes.</summary>
    public ulong Size { get; }

    /// <summary>The last I/O virtual address.</summary>
    public ulong Last => Iova + (Size - 1);

    /// <summary>What the device may do.</summary>
    public DmaAccess Access { get; }

    /// <summary>Whether the memory can be touched in place.</summary>
    public bool IsDirect => _address != null;

    /// <summary>
    /// The file that the range is of, and where in it: another process can map it. Null where there is none to give; it stays the map's.
    /// </summary>
    public virtual (SafeFileHandle File, ulong Offset)? Backing => null;

    /// <summary>Copies out of the range; the map is held by the caller.</summary>
    /// <param name="iova">First address; with the length inside the range.</param>
    /// <param name="destination">Receives the bytes.</param>
    protected internal virtual VfioResult Read(ulong iova, Span<byte> destination)
    {
        new ReadOnlySpan<byte>(_address + (iova - Iova), destination.Length).CopyTo(destination);
        return VfioResult.Success;
    }

    /// <summary>Copies into the range; the map is held by the caller.</summary>
    /// <param name="iova">First address; with the length inside the range.</param>
    /// <param name="source">The bytes.</param>
    protected internal virtual VfioResult Write(ulong iova, ReadOnlySpan<byte> source)
    {
        source.CopyTo(new Span<byte>(_address + (iova - Iova), source.Length));
        return VfioResult.Success;
    }

    /// <summary>Called once, when the range is unmapped and nobody holds it any more: gives the memory back.</summary>
    protected virtual void OnUnmapped()
    {
    }

    /// <summary>
    /// Called when the range is about to be unmapped, before the wait for its holders: ends transfers that would never end by themselves.
    /// </summary>
    protected virtual void OnUnmapping()
    {
    }

    /// <summary>The space that it is in; null before.</summary>
    internal DmaSpace? Space { get; set; }

    internal bool TryHold()
    {
        var state = Volatile.Read(ref _state);
        while (state >= 0)
        {
            var seen = Interlocked.CompareExchange(ref _state, state + 1, state);
            if (seen == state)
                return true;
            state = seen;
        }

        return false;
    }

    internal DmaSegment Segment(ulong iova, int length, DmaAccess access) => new(this, _address + (iova - Iova), iova, length, access);

    internal void Release()
    {
        if (Interlocked.Decrement(ref _state) != Closed)
            return;
        lock (_unused)
            Monitor.PulseAll(_unused);
    }

    /// <inheritdoc/>
    protected internal override void Release(in DmaSegment segment)
    {
        // Before the hold is given up: an unmap that has returned finds every write in the log.
        if ((segment.Access & DmaAccess.Write) != 0)
            Space?.NoteWritten(segment.Iova, (ulong)segment.Length);
        Release();
    }

    /// <summary>From here on no new hold is given, and transfers that wait are ended. Called once, as are the two below.</summary>
    internal void End()
    {
        // The sign bit and the count share one word, so no hold can slip in between.
        if (Interlocked.Add(ref _state, Closed) != Closed)
            OnUnmapping();
    }

    /// <summary>Waits, after <see cref="End"/>, until nobody holds the range.</summary>
    internal void WaitUnused()
    {
        if (Volatile.Read(ref _state) == Closed)
            return;
        lock (_unused)
        {
            while (Volatile.Read(ref _state) != Closed)
                Monitor.Wait(_unused);
        }
    }

    /// <summary>Waits, after <see cref="End"/>, until nobody holds the range, and gives the memory back.</summary>
    internal void GiveBack()
    {
        WaitUnused();
        OnUnmapped();
    }
}
