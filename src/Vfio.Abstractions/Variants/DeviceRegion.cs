namespace Vfio;

/// <summary>
/// A region with operations of its own: a device-specific one, or a BAR that the function does not have (<c>vfio_pci_regops</c>).
/// Thread-safe.
/// </summary>
public abstract class DeviceRegion
{
    /// <summary>What it is; null where it stands in for a BAR.</summary>
    public virtual RegionType? Type => null;

    /// <summary>Size in bytes.</summary>
    public abstract ulong Size { get; }

    /// <summary>What may be done with it.</summary>
    public abstract RegionFlags Flags { get; }

    /// <summary>How it is mapped; null if it is not.</summary>
    public virtual RegionMapping? Mapping => null;

    /// <summary>Reads it; the range is inside <see cref="Size"/>.</summary>
    /// <param name="offset">From the start of the region.</param>
    /// <param name="destination">Receives the bytes.</param>
    /// <returns>The bytes read, or an errno.</returns>
    public abstract VfioResult<int> Read(ulong offset, Span<byte> destination);

    /// <summary>Writes it; the range is inside <see cref="Size"/>.</summary>
    /// <param name="offset">From the start of the region.</param>
    /// <param name="source">The bytes.</param>
    /// <returns>The bytes written, or an errno.</returns>
    public abstract VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source);

    /// <summary>The region as a client is told of it.</summary>
    public RegionInfo Info => new() { Size = Size, Flags = Flags, SparseAreas = Mapping?.Areas, Type = Type };
}
