namespace Vfio.OracleReplay.Hardware;

/// <summary>
/// A BAR of a recorded function. What its registers held was not recorded, so they read as 0; where nothing decodes, as ones.
/// </summary>
internal sealed class RecordedBar(RecordedBarShape shape, RecordedFunction function) : IPciBar
{
    private const ulong RomSignature = 0xAA55;

    public ulong Size => shape.Size;

    public BarKind Kind => shape.Kind;

    public bool Prefetchable => shape.Prefetchable;

    public ulong ImageSize => shape.Index != RegionIndex.Rom || shape.HasImage ? shape.ImageSize : 0;

    public bool IsShadow => shape.IsShadow;

    public RegionMapping? Mapping => shape.Mapping();

    public ulong Read(ulong offset, int width)
    {
        CheckAligned(offset, width);
        if (!function.Decodes(shape))
            return ulong.MaxValue >> (64 - (8 * width));
        if (shape.Index != RegionIndex.Rom || !shape.HasImage || offset >= 2)
            return 0;
        return (RomSignature >> (8 * (int)offset)) & (ulong.MaxValue >> (64 - (8 * width)));
    }

    public void Write(ulong offset, int width, ulong value) => CheckAligned(offset, width);

    private void CheckAligned(ulong offset, int width)
    {
        if (width is not (1 or 2 or 4 or 8) || offset % (ulong)width != 0 || offset >= shape.Size || (ulong)width > shape.Size - offset)
            throw new InvalidOperationException($"the core makes an access of {width} bytes at {offset:x} of BAR {shape.Index}");
    }
}
