namespace Vfio.Simulation.Pci;

/// <summary>
/// A write to configuration space, as the register's side effect sees it: whole dwords, with the bytes that were not written as 0.
/// </summary>
/// <param name="Before">The dword before.</param>
/// <param name="After">The dword after, masks applied.</param>
/// <param name="Written">The bits that software wrote as 1.</param>
internal readonly record struct ConfigWrite(uint Before, uint After, uint Written);

/// <summary>Configuration space of one function: registers with their masks and side effects. Thread-safe; reads take no lock.</summary>
internal sealed class ConfigSpace
{
    private readonly Lock _writing = new();
    private readonly uint[] _values;
    private readonly uint[] _defaults;
    private readonly uint[] _writable;
    private readonly uint[] _clear;
    private readonly uint[] _sticky;
    private readonly Action<ConfigWrite>?[] _effects;

    internal ConfigSpace(uint[] values, uint[] writable, uint[] clear, uint[] sticky)
    {
        _values = values;
        _defaults = [.. values];
        _writable = writable;
        _clear = clear;
        _sticky = sticky;
        _effects = new Action<ConfigWrite>?[values.Length];
    }

    internal int Size => _values.Length * sizeof(uint);

    /// <summary>Runs after every write that touches a dword, on the writer's thread, outside every lock.</summary>
    internal void OnWrite(int offset, Action<ConfigWrite> effect) => _effects[offset >> 2] += effect;

    internal uint Read(int offset, int width)
        => (Volatile.Read(ref _values[offset >> 2]) >> ((offset & 3) * 8)) & Ones(width);

    internal void Write(int offset, int width, uint value)
    {
        var shift = (offset & 3) * 8;
        var lanes = Ones(width) << shift;
        var written = (value << shift) & lanes;
        var at = offset >> 2;
        uint before, after;
        lock (_writing)
        {
            before = _values[at];
            var mask = _writable[at] & lanes;
            after = ((before & ~mask) | (written & mask)) & ~(written & _clear[at]);
            Volatile.Write(ref _values[at], after);
        }

        _effects[at]?.Invoke(new(before, after, written));
    }

    /// <summary>The device itself changes a register: no mask applies and no side effect runs.</summary>
    internal void Set(int offset, uint mask, uint value)
    {
        var shift = (offset & 3) * 8;
        var at = offset >> 2;
        lock (_writing)
            Volatile.Write(ref _values[at], (_values[at] & ~(mask << shift)) | ((value & mask) << shift));
    }

    /// <summary>Sets a register and what a reset brings back: for what depends on how the device is provisioned.</summary>
    internal void SetDefault(int offset, uint mask, uint value)
    {
        var shift = (offset & 3) * 8;
        var at = offset >> 2;
        lock (_writing)
            _defaults[at] = (_defaults[at] & ~(mask << shift)) | ((value & mask) << shift);
        Set(offset, mask, value);
    }

    /// <summary>Function level reset: power-on values, but for the sticky bits.</summary>
    internal void Reset()
    {
        lock (_writing)
        {
            for (var i = 0; i < _values.Length; i++)
                Volatile.Write(ref _values[i], (_defaults[i] & ~_sticky[i]) | (_values[i] & _sticky[i]));
        }
    }

    internal static uint Ones(int width) => uint.MaxValue >> (32 - (width * 8));
}
