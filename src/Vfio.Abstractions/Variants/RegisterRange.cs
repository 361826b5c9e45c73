namespace Vfio;

/// <summary>
/// Some bytes of a region, and how an access of any offset and length meets them (the kernel's <c>vfio_pci_core_range_intersect_range</c>).
/// </summary>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Number of bytes.</param>
public readonly record struct RegisterRange(ulong Offset, int Length)
{
    /// <summary>Whether an access touches any of these bytes; an empty one touches none.</summary>
    /// <param name="offset">The access's first byte.</param>
    /// <param name="count">Its length.</param>
    public bool Overlaps(ulong offset, int count)
        => count > 0 && (offset < Offset ? Offset - offset < (ulong)count : offset - Offset < (ulong)Length);

    /// <summary>Lays the register's bytes over those that a read returned, byte by byte where the two meet.</summary>
    /// <param name="offset">The read's first byte.</param>
    /// <param name="read">What it returned.</param>
    /// <param name="register">The register's value, <see cref="Length"/> bytes.</param>
    public void Patch(ulong offset, Span<byte> read, ReadOnlySpan<byte> register)
    {
        if (Meet(offset, read.Length, out var inRead, out var inRegister, out var count))
            register.Slice(inRegister, count).CopyTo(read[inRead..]);
    }

    /// <summary>Clears bits of the register in what a read returned.</summary>
    /// <param name="offset">The read's first byte.</param>
    /// <param name="read">What it returned.</param>
    /// <param name="hidden">The bits that read as 0, <see cref="Length"/> bytes.</param>
    public void Hide(ulong offset, Span<byte> read, ReadOnlySpan<byte> hidden)
    {
        if (!Meet(offset, read.Length, out var inRead, out var inRegister, out var count))
            return;
        for (var i = 0; i < count; i++)
            read[inRead + i] &= (byte)~hidden[inRegister + i];
    }

    /// <summary>Takes what a write holds of the register into a shadow of it.</summary>
    /// <param name="offset">The write's first byte.</param>
    /// <param name="written">Its bytes.</param>
    /// <param name="shadow">The register's shadow, <see cref="Length"/> bytes.</param>
    /// <returns>Whether the write touched the register.</returns>
    public bool Capture(ulong offset, ReadOnlySpan<byte> written, Span<byte> shadow)
    {
        if (!Meet(offset, written.Length, out var inWrite, out var inRegister, out var count))
            return false;
        written.Slice(inWrite, count).CopyTo(shadow[inRegister..]);
        return true;
    }

    private bool Meet(ulong offset, int length, out int inAccess, out int inRegister, out int count)
    {
        inAccess = inRegister = count = 0;
        if (!Overlaps(offset, length))
            return false;
        var start = Math.Max(offset, Offset);
        inAccess = (int)(start - offset);
        inRegister = (int)(start - Offset);
        count = Math.Min(length - inAccess, Length - inRegister);
        return true;
    }
}
