using System.Buffers.Binary;
using System.Text;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Storage;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>Fills the structures that Identify returns; each page comes in zeroed.</summary>
internal static class IdentifyPages
{
    private const byte QueueEntryBytes64 = 0x66, QueueEntryBytes16 = 0x44;
    private const ushort WarningTemperature = 343, CriticalTemperature = 358;

    internal static void Controller(Span<byte> page, NvmeController controller)
    {
        var subsystem = controller.Subsystem;
        Put16(page, IdentifyController.Vid, subsystem.PciId.Vendor);
        Put16(page, IdentifyController.Ssvid, subsystem.PciId.SubsystemVendor);
        PutText(page, IdentifyController.SerialNumber, IdentifyController.SerialNumberBytes, subsystem.Serial);
        PutText(page, IdentifyController.ModelNumber, IdentifyController.ModelNumberBytes, subsystem.ModelNumber);
        PutText(page, IdentifyController.FirmwareRevision, IdentifyController.FirmwareRevisionBytes, NvmeSubsystem.FirmwareRevision);
        page[IdentifyController.Cmic] = (byte)(IdentifyController.CmicMultipleControllers
            | (controller.IsPrimary ? 0 : IdentifyController.CmicVirtualFunction));
        page[IdentifyController.Mdts] = ControllerLimits.TransferShift;
        Put16(page, IdentifyController.Cntlid, controller.Id);
        Put32(page, IdentifyController.Ver, Register.Version14);
        Put32(page, IdentifyController.Oaes, IdentifyController.OaesNamespaceAttribute);
        page[IdentifyController.Cntrltype] = IdentifyController.CntrltypeIo;
        Put16(page, IdentifyController.Oacs, (ushort)(IdentifyController.OacsDoorbellBufferConfig
            | (controller.IsPrimary ? IdentifyController.OacsVirtualizationManagement : 0)));
        page[IdentifyController.Acl] = ControllerLimits.AbortCommands - 1;
        page[IdentifyController.Aerl] = ControllerLimits.AsyncEventRequests - 1;
        page[IdentifyController.Frmw] = IdentifyController.FrmwSlot1ReadOnly | IdentifyController.FrmwOneSlot;
        page[IdentifyController.Lpa] = IdentifyController.LpaCommandsSupported | IdentifyController.LpaExtendedData;
        page[IdentifyController.Elpe] = ErrorLog.Entries - 1;
        Put16(page, IdentifyController.Wctemp, WarningTemperature);
        Put16(page, IdentifyController.Cctemp, CriticalTemperature);
        page[IdentifyController.Sqes] = QueueEntryBytes64;
        page[IdentifyController.Cqes] = QueueEntryBytes16;
        Put32(page, IdentifyController.Nn, subsystem.LastNamespaceId);
        Put16(page, IdentifyController.Oncs, IdentifyController.OncsCompare | IdentifyController.OncsDatasetManagement
            | IdentifyController.OncsWriteZeroes | IdentifyController.OncsSelect | IdentifyController.OncsTimestamp
            | IdentifyController.OncsVerify);
        page[IdentifyController.Vwc] = IdentifyController.VwcPresent | IdentifyController.VwcBroadcast;
        Encoding.UTF8.GetBytes(subsystem.Nqn, page.Slice(IdentifyController.Subnqn, IdentifyController.SubnqnBytes));
        // 25 W, in centiwatts.
        Put16(page, IdentifyController.PowerState0, 2500);
    }

    internal static void Namespace(Span<byte> page, NvmeNamespace found)
    {
        const int PreferredBytes = 4096;
        Put64(page, IdentifyNamespace.Nsze, found.Blocks);
        Put64(page, IdentifyNamespace.Ncap, found.Blocks);
        Put64(page, IdentifyNamespace.Nuse, found.Blocks);
        page[IdentifyNamespace.Nsfeat] = IdentifyNamespace.NsfeatOptimalSizes;
        page[IdentifyNamespace.Nmic] = found.IsShared ? IdentifyNamespace.NmicShared : (byte)0;
        page[IdentifyNamespace.Dlfeat] = IdentifyNamespace.DlfeatZeroes | IdentifyNamespace.DlfeatWriteZeroes;
        Put64(page, IdentifyNamespace.Nvmcap, found.Blocks << found.BlockShift);
        // All of them 0's based: the page cache's page is the unit that files like best.
        var preferred = (ushort)((PreferredBytes >> found.BlockShift) - 1);
        Put16(page, IdentifyNamespace.Npwg, preferred);
        Put16(page, IdentifyNamespace.Npwa, preferred);
        Put16(page, IdentifyNamespace.Npdg, preferred);
        Put16(page, IdentifyNamespace.Npda, preferred);
        found.Nguid.CopyTo(page[IdentifyNamespace.Nguid..]);
        page[IdentifyNamespace.Lbaf0 + IdentifyNamespace.LbafDataSize] = (byte)found.BlockShift;
    }

    internal static void Primary(Span<byte> page, NvmeSubsystem subsystem)
    {
        Put16(page, PrimaryCapabilities.Cntlid, subsystem.Primary.Id);
        page[PrimaryCapabilities.Crt] = PrimaryCapabilities.CrtQueues | PrimaryCapabilities.CrtInterrupts;
        Resource(page[PrimaryCapabilities.Queues..], subsystem.Resources.Queues);
        Resource(page[PrimaryCapabilities.Interrupts..], subsystem.Resources.Interrupts);
    }

    internal static void Secondaries(Span<byte> page, NvmeSubsystem subsystem, ushort from)
    {
        var count = 0;
        foreach (var secondary in subsystem.Secondaries)
        {
            if (secondary.Controller.Id < from || count == SecondaryList.MaxEntries)
                continue;
            var entry = page.Slice(SecondaryList.First + (count * SecondaryList.EntryBytes), SecondaryList.EntryBytes);
            Put16(entry, SecondaryList.Scid, secondary.Controller.Id);
            Put16(entry, SecondaryList.Pcid, subsystem.Primary.Id);
            entry[SecondaryList.Scs] = secondary.IsOnline ? SecondaryList.ScsOnline : (byte)0;
            // VF numbers count from 1.
            Put16(entry, SecondaryList.Vfn, (ushort)(secondary.VirtualFunctionIndex + 1));
            Put16(entry, SecondaryList.Nvq, (ushort)secondary.Queues);
            Put16(entry, SecondaryList.Nvi, (ushort)secondary.Interrupts);
            count++;
        }

        page[SecondaryList.Count] = (byte)count;
    }

    private static void Resource(Span<byte> fields, ResourcePool pool)
    {
        Put32(fields, PrimaryCapabilities.FlexibleTotal, (uint)pool.Flexible);
        Put32(fields, PrimaryCapabilities.FlexibleAssigned, (uint)pool.AssignedToSecondaries);
        Put16(fields, PrimaryCapabilities.FlexiblePrimary, (ushort)pool.AssignedToPrimary);
        Put16(fields, PrimaryCapabilities.PrivateTotal, (ushort)pool.Private);
        Put16(fields, PrimaryCapabilities.FlexibleSecondaryMax, (ushort)pool.SecondaryMax);
        Put16(fields, PrimaryCapabilities.Granularity, 1);
    }

    // Fixed fields of ASCII, filled up with spaces.
    private static void PutText(Span<byte> page, int at, int length, string text)
    {
        var field = page.Slice(at, length);
        field.Fill((byte)' ');
        Encoding.ASCII.GetBytes(text, field);
    }

    private static void Put16(Span<byte> page, int at, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(page[at..], value);

    private static void Put32(Span<byte> page, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(page[at..], value);

    private static void Put64(Span<byte> page, int at, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(page[at..], value);
}
