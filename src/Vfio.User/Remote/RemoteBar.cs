namespace Vfio.User.Remote;

/// <summary>A BAR or the ROM of a remote function.</summary>
internal sealed class RemoteBar : IPciBar
{
    // Source: PCI Local Bus 3.0, 6.2.5.1.
    private const int Bar0 = 0x10;
    private const uint Io = 1, TypeMask = 6, Type64 = 4, PrefetchableBit = 8;
    private readonly VfioUserFunction _function;
    private readonly int _index;

    public RemoteBar(VfioUserFunction function, int index, RemoteSnapshot snapshot)
    {
        _function = function;
        _index = index;
        Size = snapshot.Region(index).Size;
        if (index > RegionIndex.Bar5)
            return;
        var register = snapshot.Config(Bar0 + (4 * index), 4);
        Kind = (register & Io) != 0 ? BarKind.Io : (register & TypeMask) == Type64 ? BarKind.Memory64 : BarKind.Memory32;
        Prefetchable = Kind != BarKind.Io && (register & PrefetchableBit) != 0;
    }

    public ulong Size { get; }

    public BarKind Kind { get; }

    public bool Prefetchable { get; }

    public RegionMapping? Mapping => _function.Map(_index);

    public ulong Read(ulong offset, int width) => _function.Read(_index, offset, width);

    public void Write(ulong offset, int width, ulong value) => _function.Write(_index, offset, width, value);
}
