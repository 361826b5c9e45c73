namespace Vfio;

/// <summary>A BAR of a function, or its expansion ROM, towards the hardware. Thread-safe.</summary>
public interface IPciBar
{
    /// <summary>Size in bytes, a power of two.</summary>
    ulong Size { get; }

    /// <summary>Memory or I/O.</summary>
    BarKind Kind { get; }

    /// <summary>Whether a memory BAR is prefetchable.</summary>
    bool Prefetchable => false;

    /// <summary>How much of a ROM its image fills; the rest reads as ones. The size of any other BAR.</summary>
    ulong ImageSize => Size;

    /// <summary>
    /// Whether a ROM is a copy that firmware left in memory: <see cref="Size"/> is then its image's size rounded up to a power of two, and
    /// nothing has to decode for it to be read.
    /// </summary>
    bool IsShadow => false;

    /// <summary>Reads a register: one access of this width.</summary>
    /// <param name="offset">Aligned to the width; with the width inside <see cref="Size"/>.</param>
    /// <param name="width">1, 2, 4 or 8.</param>
    /// <returns>The value, in host order.</returns>
    ulong Read(ulong offset, int width);

    /// <summary>Writes a register: one access of this width.</summary>
    /// <param name="offset">Aligned to the width; with the width inside <see cref="Size"/>.</param>
    /// <param name="width">1, 2, 4 or 8.</param>
    /// <param name="value">The value, in host order.</param>
    void Write(ulong offset, int width, ulong value);

    /// <summary>The parts without side effects on access, as a file that a client may map; null if every access must be seen.</summary>
    RegionMapping? Mapping => null;
}

/// <summary>What a BAR decodes.</summary>
public enum BarKind
{
    /// <summary>32-bit memory.</summary>
    Memory32,

    /// <summary>64-bit memory: takes this BAR and the next.</summary>
    Memory64,

    /// <summary>I/O ports.</summary>
    Io,
}
