using Vfio.Core.Config;
using static Vfio.Core.Config.HeaderRegisters;

namespace Vfio.Core.Regions;

/// <summary>
/// The expansion ROM: its decoding is turned on for each read, as the kernel's <c>pci_map_rom</c> does; but for a copy in memory, which
/// needs none.
/// </summary>
internal sealed class RomRegion
{
    private const int WidestAccess = 4;
    private const uint Signature = 0xAA55;
    private readonly Lock _decoding = new();
    private readonly IPciFunction _function;
    private readonly IPciBar _rom;
    private readonly FunctionBar _bar;

    /// <summary>Looks for an image, with memory decoding on meanwhile, which a function without memory BARs has not been given.</summary>
    public RomRegion(IPciFunction function, IPciBar rom)
    {
        _function = function;
        _rom = rom;
        _bar = new(rom, WidestAccess, Math.Min(rom.ImageSize, rom.Size), rom.Size);
        Span<byte> signature = stackalloc byte[2];
        if (rom.Size >= (ulong)signature.Length)
            Probe(signature);
        HasImage = (signature[0] | ((uint)signature[1] << 8)) == Signature;
    }

    /// <summary>Whether the ROM holds a valid image; if not, the region is empty, though its register is sized.</summary>
    public bool HasImage { get; }

    public ulong Size => _rom.Size;

    /// <summary>Whether it is a copy that firmware left in memory.</summary>
    public bool IsShadow => _rom.IsShadow;

    /// <summary>Whether a request touches nothing but what the image leaves.</summary>
    public bool IsExcluded(ulong offset, int count) => _bar.IsExcluded(offset, count);

    /// <summary>Reads; the range is inside the ROM and memory decoding is on.</summary>
    public void Read(ulong offset, Span<byte> destination) => Decode(offset, destination);

    private void Probe(Span<byte> signature)
    {
        var command = _function.ReadConfig(Command, 2);
        if ((command & CommandMemory) == 0)
            _function.WriteConfig(Command, 2, command | CommandMemory);
        Decode(0, signature);
        if ((command & CommandMemory) == 0)
            _function.WriteConfig(Command, 2, command);
    }

    private void Decode(ulong offset, Span<byte> destination)
    {
        if (IsShadow)
        {
            _bar.Read(offset, destination);
            return;
        }

        lock (_decoding)
        {
            var register = _function.ReadConfig(HeaderRegisters.Rom, 4);
            _function.WriteConfig(HeaderRegisters.Rom, 4, register | RomEnable);
            try
            {
                _bar.Read(offset, destination);
            }
            finally
            {
                _function.WriteConfig(HeaderRegisters.Rom, 4, register);
            }
        }
    }
}
