using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using Vfio.Simulation.Nvme.Io;
using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>Get Log Page. Used by the controller's thread alone. Source: NVM Express Base Specification 1.4, 5.14.</summary>
internal sealed class LogPages(NvmeController controller, AdminCommands commands)
{
    private const int ChangedNamespacesBytes = 4096, MaxChangedNamespaces = 1024;
    private readonly long _poweredOn = Stopwatch.GetTimestamp();

    internal CommandResult Get(in AdminCommand command)
    {
        const uint RetainEvent = 1 << 15;
        ref readonly var entry = ref command.Entry;
        var id = (LogPage)(byte)entry.Cdw10;
        var dwords = ((entry.Cdw10 >> 16) | ((ulong)(entry.Cdw11 & 0xFFFF) << 16)) + 1;
        var offset = entry.Cdw12 | ((ulong)entry.Cdw13 << 32);
        if (entry.NamespaceId is not (0 or uint.MaxValue) || (offset & 3) != 0 || dwords > ControllerLimits.TransferBytes / sizeof(uint))
            return NvmeStatus.InvalidField;
        var retain = (entry.Cdw10 & RetainEvent) != 0;
        if (Fill(id, retain) is not { } page)
            return NvmeStatus.InvalidLogPage;
        if (offset > (ulong)page.Length)
            return NvmeStatus.InvalidField;
        var output = new byte[dwords * sizeof(uint)];
        var available = page.AsSpan((int)offset);
        available[..Math.Min(available.Length, output.Length)].CopyTo(output);
        var status = command.Data.Send(output);
        if (status.IsSuccess && !retain)
            controller.Events.Acknowledge(id);
        return status;
    }

    private byte[]? Fill(LogPage id, bool retain)
    {
        switch (id)
        {
            case LogPage.ErrorInformation:
                var errors = new byte[ErrorLog.Entries * ErrorEntry.Bytes];
                controller.Errors.CopyTo(errors);
                return errors;
            case LogPage.Health:
                return Health();
            case LogPage.FirmwareSlot:
                var firmware = new byte[FirmwareLog.Bytes];
                firmware[FirmwareLog.ActiveSlot] = 1;
                Encoding.ASCII.GetBytes(NvmeSubsystem.FirmwareRevision.PadRight(8), firmware.AsSpan(FirmwareLog.Slot1));
                return firmware;
            case LogPage.ChangedNamespaces:
                return ChangedNamespaces(retain);
            case LogPage.CommandsSupported:
                return Effects();
            default:
                return null;
        }
    }

    private byte[] Health()
    {
        var page = new byte[HealthLog.Bytes];
        var health = controller.Health;
        page[HealthLog.CriticalWarning] = controller.Features.IsTemperatureCritical ? HealthLog.WarningTemperature : (byte)0;
        Put(page, HealthLog.Temperature, HealthInformation.Temperature, sizeof(ushort));
        page[HealthLog.AvailableSpare] = 100;
        page[HealthLog.SpareThreshold] = 10;
        Put(page, HealthLog.UnitsRead, health.UnitsRead);
        Put(page, HealthLog.UnitsWritten, health.UnitsWritten);
        Put(page, HealthLog.ReadCommands, health.ReadCommands);
        Put(page, HealthLog.WriteCommands, health.WriteCommands);
        Put(page, HealthLog.PowerCycles, 1);
        Put(page, HealthLog.PowerOnHours, (ulong)Stopwatch.GetElapsedTime(_poweredOn).TotalHours);
        Put(page, HealthLog.MediaErrors, health.MediaErrors);
        Put(page, HealthLog.ErrorEntries, controller.Errors.Count);
        Put(page, HealthLog.TemperatureSensor1, HealthInformation.Temperature, sizeof(ushort));
        return page;
    }

    private byte[] ChangedNamespaces(bool retain)
    {
        var page = new byte[ChangedNamespacesBytes];
        var changed = controller.ChangedNamespaces;
        // Too many to list are said so by a single id of all ones.
        if (changed.Count > MaxChangedNamespaces)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(page, uint.MaxValue);
        }
        else
        {
            var at = 0;
            foreach (var id in changed)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(page.AsSpan(at), id);
                at += sizeof(uint);
            }
        }

        if (!retain)
            changed.Clear();
        return page;
    }

    private byte[] Effects()
    {
        var page = new byte[EffectsLog.Bytes];
        for (var opcode = 0; opcode <= byte.MaxValue; opcode++)
        {
            Put(page, EffectsLog.Admin + (opcode * sizeof(uint)), commands.Effects((byte)opcode), sizeof(uint));
            Put(page, EffectsLog.Io + (opcode * sizeof(uint)), IoCommands.Effects((IoOpcode)opcode), sizeof(uint));
        }

        return page;
    }

    private static void Put(byte[] page, int at, ulong value, int bytes = sizeof(ulong))
    {
        Span<byte> little = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(little, value);
        little[..bytes].CopyTo(page.AsSpan(at));
    }
}
