namespace Vfio.Core.Tests.Scripted;

/// <summary>A region of a variant's own that is bytes and nothing else.</summary>
internal sealed class MemoryRegion(int size, RegionType type) : DeviceRegion
{
    private readonly byte[] _bytes = new byte[size];

    public override RegionType? Type => type;

    public override ulong Size => (ulong)_bytes.Length;

    public override RegionFlags Flags => RegionFlags.Read | RegionFlags.Write;

    public override VfioResult<int> Read(ulong offset, Span<byte> destination)
    {
        _bytes.AsSpan((int)offset, destination.Length).CopyTo(destination);
        return destination.Length;
    }

    public override VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source)
    {
        source.CopyTo(_bytes.AsSpan((int)offset));
        return source.Length;
    }
}
