namespace Vfio.Core.Reset;

/// <summary>The registers that a reset loses, as they were: the kernel's <c>pci_save_state</c> and <c>pci_restore_state</c>.</summary>
internal sealed class ConfigSnapshot
{
    private readonly IReadOnlyList<(int Offset, int Width)> _registers;
    private readonly uint[] _values;

    private ConfigSnapshot(IReadOnlyList<(int Offset, int Width)> registers, uint[] values)
    {
        _registers = registers;
        _values = values;
    }

    public static ConfigSnapshot Take(IPciFunction function, IReadOnlyList<(int Offset, int Width)> registers)
        => new(registers, [.. registers.Select(r => function.ReadConfig(r.Offset, r.Width))]);

    public void Restore(IPciFunction function)
    {
        for (var i = 0; i < _values.Length; i++)
        {
            var (offset, width) = _registers[i];
            // A write may have side effects; one that changes nothing is not made.
            if (function.ReadConfig(offset, width) != _values[i])
                function.WriteConfig(offset, width, _values[i]);
        }
    }
}
