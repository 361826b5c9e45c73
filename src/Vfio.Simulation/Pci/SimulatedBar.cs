namespace Vfio.Simulation.Pci;

/// <summary>A BAR of a simulated function: decodes while the function lets it, answers all ones otherwise.</summary>
internal sealed class SimulatedBar : IPciBar
{
    private readonly int _index;
    private SimulatedFunction? _function;

    internal SimulatedBar(int index, BarKind kind, ulong size)
    {
        _index = index;
        Kind = kind;
        Size = size;
    }

    public ulong Size { get; }

    public BarKind Kind { get; }

    public RegionMapping? Mapping => _function?.Device.Mapping(_index);

    internal void Attach(SimulatedFunction function) => _function = function;

    public ulong Read(ulong offset, int width)
    {
        Check(offset, width);
        return _function is { MemoryEnabled: true } function
            ? function.Device.ReadRegister(_index, offset, width)
            : ulong.MaxValue >> (64 - (width * 8));
    }

    public void Write(ulong offset, int width, ulong value)
    {
        Check(offset, width);
        if (_function is { MemoryEnabled: true } function)
            function.Device.WriteRegister(_index, offset, width, value);
    }

    private void Check(ulong offset, int width)
    {
        if (width is not (1 or 2 or 4 or 8) || (offset & (ulong)(width - 1)) != 0 || offset > Size - (ulong)width)
            throw new ArgumentOutOfRangeException(nameof(offset), $"{width} bytes at {offset:x} are not one aligned access inside the BAR");
    }
}
