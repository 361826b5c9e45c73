namespace Vfio.Core.Tests.Model;

/// <summary>Where the PCI core finds a capability, hidden or not (<c>pci_find_capability</c>).</summary>
internal static class StandardChain
{
    public static int Find(ModelFunction hardware, int id)
    {
        if ((hardware.Registers[6] & 0x10) == 0)
            return 0;
        var at = (int)hardware.Registers[0x34];
        for (var loops = 48; loops > 0 && at >= 0x40; loops--)
        {
            at &= ~3;
            if (hardware.Registers[at] == 0xFF)
                break;
            if (hardware.Registers[at] == id)
                return at;
            at = hardware.Registers[at + 1];
        }

        return 0;
    }
}
