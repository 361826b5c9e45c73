namespace Vfio;

/// <summary>
/// Guest memory that a device holds for the time of one transfer. Copying the value does not copy the hold: release it once.
/// </summary>
public readonly unsafe struct DmaSegment : IDisposable
{
    private readonly DmaHold? _hold;

    /// <summary>Creates a segment over memory that is already held.</summary>
    /// <param name="hold">Who is told when it is released.</param>
    /// <param name="address">Address in this process.</param>
    /// <param name="iova">Address as the device knows it.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="access">What the device may do with it.</param>
    public DmaSegment(DmaHold hold, void* address, ulong iova, int length, DmaAccess access)
    {
        _hold = hold;
        Address = (nint)address;
        Iova = iova;
        Length = length;
        Access = access;
    }

    /// <summary>Address in this process.</summary>
    public nint Address { get; }

    /// <summary>Address as the device knows it.</summary>
    public ulong Iova { get; }

    /// <summary>Bytes.</summary>
    public int Length { get; }

    /// <summary>What the device may do with it.</summary>
    public DmaAccess Access { get; }

    /// <summary>The memory. The guest changes it at any time: read a field once.</summary>
    public Span<byte> Span => new((void*)Address, Length);

    /// <summary>Releases the memory; it must not be touched any more.</summary>
    public void Dispose() => _hold?.Release(this);
}

/// <summary>What keeps a segment's memory mapped: the DMA space's side of a <see cref="DmaSegment"/>. Thread-safe.</summary>
public abstract class DmaHold
{
    /// <summary>The segment is not used any more.</summary>
    /// <param name="segment">The segment.</param>
    protected internal abstract void Release(in DmaSegment segment);
}
