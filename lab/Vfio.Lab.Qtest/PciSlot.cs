using System.Globalization;

namespace Vfio.Lab.Qtest;

/// <summary>
/// A PCI device of a machine as its processor reaches it: configuration by ports CF8h and CFCh, BARs by memory and port accesses.
/// </summary>
internal sealed class PciSlot(QemuMachine machine, int slot)
{
    /// <summary>Where the firmware that is not there would have put the BARs.</summary>
    private const ulong FirstAddress = 0xE0000000, FirstPort = 0xC000;

    private readonly Dictionary<int, ulong> _bars = [];

    /// <summary>Reads configuration space.</summary>
    public async Task<uint> ReadConfigAsync(int offset)
    {
        await machine.CommandAsync($"outl 0xcf8 0x{Address(offset):x}");
        return (uint)await NumberAsync("inl 0xcfc");
    }

    /// <summary>Writes configuration space.</summary>
    public async Task WriteConfigAsync(int offset, uint value)
    {
        await machine.CommandAsync($"outl 0xcf8 0x{Address(offset):x}");
        await machine.CommandAsync($"outl 0xcfc 0x{value:x}");
    }

    /// <summary>Writes two bytes of configuration space.</summary>
    public async Task WriteConfig16Async(int offset, ushort value)
    {
        await machine.CommandAsync($"outl 0xcf8 0x{Address(offset):x}");
        await machine.CommandAsync($"outw 0x{0xcfc + (offset & 2):x} 0x{value:x}");
    }

    /// <summary>Sizes the BARs as firmware does, places them, and turns decoding and bus mastering on.</summary>
    public async Task PlaceBarsAsync()
    {
        ulong memory = FirstAddress, port = FirstPort;
        for (var bar = 0; bar < 6; bar++)
        {
            var register = 0x10 + (4 * bar);
            await WriteConfigAsync(register, uint.MaxValue);
            var answer = await ReadConfigAsync(register);
            if (answer == 0)
                continue;
            var io = (answer & 1) != 0;
            var size = (ulong)(~(answer & (io ? ~3u : ~15u)) + 1);
            var address = ((io ? port : memory) + size - 1) & ~(size - 1);
            _bars[bar] = address;
            await WriteConfigAsync(register, (uint)address);
            if (io)
                port = address + size;
            else
                memory = address + size;
            if (!io && (answer & 4) != 0)
                await WriteConfigAsync(0x10 + (4 * ++bar), 0);
        }

        await WriteConfig16Async(4, 7);
    }

    /// <summary>Reads a BAR with one access.</summary>
    public Task<ulong> ReadAsync(int bar, ulong offset, int width) => NumberAsync($"read{Suffix(width)} 0x{_bars[bar] + offset:x}");

    /// <summary>Writes a BAR with one access.</summary>
    public Task WriteAsync(int bar, ulong offset, int width, ulong value)
        => machine.CommandAsync($"write{Suffix(width)} 0x{_bars[bar] + offset:x} 0x{value:x}");

    /// <summary>Reads an I/O BAR with one access.</summary>
    public Task<ulong> InAsync(int bar, ulong offset, int width) => NumberAsync($"in{Suffix(width)} 0x{_bars[bar] + offset:x}");

    /// <summary>Writes an I/O BAR with one access.</summary>
    public Task OutAsync(int bar, ulong offset, int width, ulong value)
        => machine.CommandAsync($"out{Suffix(width)} 0x{_bars[bar] + offset:x} 0x{value:x}");

    private uint Address(int offset) => 0x80000000 | ((uint)slot << 11) | (uint)(offset & 0xFC);

    private async Task<ulong> NumberAsync(string command)
        => ulong.Parse((await machine.CommandAsync(command)).AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static char Suffix(int width) => width switch { 1 => 'b', 2 => 'w', 4 => 'l', _ => 'q' };
}
