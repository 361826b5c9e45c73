using System.Buffers.Binary;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Nvme.Storage;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>Identify. Source: NVM Express Base Specification 1.4, 5.15.</summary>
internal sealed class IdentifyCommand(NvmeController controller)
{
    private const int Bytes = 4096;
    private const uint Broadcast = uint.MaxValue;
    private readonly byte[] _page = new byte[Bytes];

    internal CommandResult Execute(in AdminCommand command)
    {
        Array.Clear(_page);
        ref readonly var entry = ref command.Entry;
        var status = Fill((Cns)(byte)entry.Cdw10, entry.NamespaceId, (ushort)(entry.Cdw10 >> 16), (byte)(entry.Cdw11 >> 24));
        return status.IsSuccess ? command.Data.Send(_page) : status;
    }

    private NvmeStatus Fill(Cns cns, uint nsid, ushort cntid, byte commandSet) => cns switch
    {
        Cns.Namespace => Namespace(nsid, controller.Namespaces.Find(nsid)),
        Cns.Controller => Filled(() => IdentifyPages.Controller(_page, controller)),
        Cns.ActiveNamespaces => NamespaceList(nsid, controller.Namespaces.Attached),
        Cns.NamespaceDescriptors => Descriptors(nsid),
        // Both are empty for the NVM command set: no limit and no extended format.
        Cns.CommandSetNamespace => commandSet == 0 ? Active(nsid) : NvmeStatus.InvalidField,
        Cns.CommandSetController => commandSet == 0 ? NvmeStatus.Success : NvmeStatus.InvalidField,
        Cns.IndependentNamespace => Independent(nsid),
        Cns.AllocatedNamespaces => NamespaceList(nsid, controller.Subsystem.Namespaces),
        Cns.AllocatedNamespace => Namespace(nsid, controller.Subsystem.Namespace(nsid)),
        Cns.AttachedControllers => ControllerList(cntid, nsid),
        Cns.Controllers => ControllerList(cntid, null),
        Cns.PrimaryCapabilities when controller.IsPrimary => Filled(() => IdentifyPages.Primary(_page, controller.Subsystem)),
        Cns.SecondaryControllers when controller.IsPrimary => Filled(() => IdentifyPages.Secondaries(_page, controller.Subsystem, cntid)),
        _ => NvmeStatus.InvalidField,
    };

    private static NvmeStatus Filled(Action fill)
    {
        fill();
        return NvmeStatus.Success;
    }

    // An id that is valid but has nothing behind it here is answered with zeroes.
    private NvmeStatus Namespace(uint nsid, NvmeNamespace? found)
    {
        if (nsid == 0 || nsid > controller.Subsystem.LastNamespaceId)
            return NvmeStatus.InvalidNamespace;
        if (found is not null)
            IdentifyPages.Namespace(_page, found);
        return NvmeStatus.Success;
    }

    private NvmeStatus NamespaceList(uint after, IReadOnlyList<NvmeNamespace?> namespaces)
    {
        if (after >= Broadcast - 1)
            return NvmeStatus.InvalidNamespace;
        var at = 0;
        foreach (var found in namespaces)
        {
            if (found is null || found.Id <= after || at == Bytes)
                continue;
            BinaryPrimitives.WriteUInt32LittleEndian(_page.AsSpan(at), found.Id);
            at += sizeof(uint);
        }

        return NvmeStatus.Success;
    }

    private NvmeStatus Active(uint nsid) => controller.Namespaces.Find(nsid) is null ? NvmeStatus.InvalidNamespace : NvmeStatus.Success;

    private NvmeStatus Descriptors(uint nsid)
    {
        if (controller.Namespaces.Find(nsid) is not { } found)
            return NvmeStatus.InvalidNamespace;
        var at = Descriptor(0, NamespaceDescriptor.TypeNguid, found.Nguid);
        Descriptor(at, NamespaceDescriptor.TypeUuid, found.Uuid);
        return NvmeStatus.Success;
    }

    private int Descriptor(int at, byte type, ReadOnlySpan<byte> identifier)
    {
        _page[at + NamespaceDescriptor.Type] = type;
        _page[at + NamespaceDescriptor.Length] = (byte)identifier.Length;
        identifier.CopyTo(_page.AsSpan(at + NamespaceDescriptor.Identifier));
        return at + NamespaceDescriptor.Identifier + identifier.Length;
    }

    private NvmeStatus Independent(uint nsid)
    {
        if (controller.Namespaces.Find(nsid) is not { } found)
            return NvmeStatus.InvalidNamespace;
        _page[IndependentNamespace.Nmic] = found.IsShared ? IdentifyNamespace.NmicShared : (byte)0;
        _page[IndependentNamespace.Nstat] = IndependentNamespace.NstatReady;
        return NvmeStatus.Success;
    }

    private NvmeStatus ControllerList(ushort from, uint? nsid)
    {
        if (nsid is { } id && controller.Subsystem.Namespace(id) is null)
            return NvmeStatus.InvalidNamespace;
        ushort count = 0;
        foreach (var other in controller.Subsystem.Controllers)
        {
            if (other.Id < from || (nsid is { } wanted && other.Namespaces.Find(wanted) is null))
                continue;
            count++;
            BinaryPrimitives.WriteUInt16LittleEndian(_page.AsSpan(count * sizeof(ushort)), other.Id);
        }

        BinaryPrimitives.WriteUInt16LittleEndian(_page, count);
        return NvmeStatus.Success;
    }
}
