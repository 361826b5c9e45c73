using System.Buffers.Binary;
using Vfio.Core.Config;
using static Vfio.Core.Config.CapabilityRegisters;

namespace Vfio.Core.Relaying;

/// <summary>
/// Where in the configuration space of a device below the bits lie that reset it or put it to sleep. Found once, at open: capabilities do
/// not move.
/// </summary>
internal sealed class RelayRegisters
{
    private const int StandardSize = 256, FirstCapability = 0x40, MostCapabilities = (StandardSize - FirstCapability) / 4;
    private int _express = -1;
    private int _af = -1;
    private int _power = -1;

    private RelayRegisters()
    {
    }

    /// <summary>Walks the standard capabilities.</summary>
    /// <param name="device">The device below, open.</param>
    /// <returns>What was found; nothing, where its configuration space cannot be read or leads nowhere.</returns>
    public static RelayRegisters Find(VfioDevice device)
    {
        var registers = new RelayRegisters();
        Span<byte> config = stackalloc byte[StandardSize];
        if (device.Read(RegionIndex.Config, 0, config) is { IsSuccess: true, Value: StandardSize }
            && (config[HeaderRegisters.Status] & HeaderRegisters.StatusCapabilityList) != 0)
            registers.Walk(config);
        return registers;
    }

    /// <summary>Which reset a write to configuration space sets off.</summary>
    /// <param name="offset">Where the write begins.</param>
    /// <param name="source">What is written.</param>
    /// <returns>The cause; null if it resets nothing.</returns>
    public ResetCause? CauseOf(ulong offset, ReadOnlySpan<byte> source)
        => IsSet(_express, (byte)(Express.InitiateFlr >> 8), offset, source) ? ResetCause.PcieFlr
            : IsSet(_af, (byte)Af.InitiateFlr, offset, source) ? ResetCause.AfFlr
            : null;

    /// <summary>Whether memory BARs answer: asks the device below.</summary>
    /// <param name="device">The device below.</param>
    /// <param name="isVirtualFunction">Whether it is a VF, whose memory is always enabled.</param>
    public bool IsMemoryEnabled(VfioDevice device, bool isVirtualFunction)
        => (isVirtualFunction || (Read(device, HeaderRegisters.Command) & HeaderRegisters.CommandMemory) != 0)
            && (_power < 0 || (Read(device, _power) & Pm.StateMask) < Reset.PowerControl.D3Hot);

    // What cannot be read answers nothing.
    private static uint Read(VfioDevice device, int register)
    {
        Span<byte> value = [0];
        return device.Read(RegionIndex.Config, (ulong)register, value) is { IsSuccess: true, Value: 1 } ? value[0] : 0u;
    }

    // Pointers come from the device: each is masked, kept inside, and followed no more often than there is room for capabilities.
    private void Walk(ReadOnlySpan<byte> config)
    {
        var at = config[HeaderRegisters.CapabilityPointer] & 0xFC;
        for (var left = MostCapabilities; at >= FirstCapability && left > 0; left--)
        {
            Note(config, at);
            at = config[at + Next] & 0xFC;
        }
    }

    private void Note(ReadOnlySpan<byte> config, int at)
    {
        const uint AfNeeded = Af.FlrCapable | Af.TransactionsPending;
        switch (config[at + Id])
        {
            case Express.Id when _express < 0 && at + Express.DeviceControl + 2 <= StandardSize
                && (BinaryPrimitives.ReadUInt32LittleEndian(config[(at + Express.DeviceCapabilities)..]) & Express.FlrCapable) != 0:
                // The bit is in the register's upper byte.
                _express = at + Express.DeviceControl + 1;
                break;
            case Af.Id when _af < 0 && at + Af.Control < StandardSize && (config[at + Af.Capabilities] & AfNeeded) == AfNeeded:
                _af = at + Af.Control;
                break;
            case Pm.Id when _power < 0 && at + Pm.Control < StandardSize:
                _power = at + Pm.Control;
                break;
        }
    }

    private static bool IsSet(int register, byte bit, ulong offset, ReadOnlySpan<byte> source)
        => register >= 0 && offset <= (ulong)register && (ulong)register - offset < (ulong)source.Length
            && (source[register - (int)offset] & bit) != 0;
}
