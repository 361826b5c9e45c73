using System.Buffers.Binary;

namespace Vfio.Plugin.Nvme.Admin;

/// <summary>An entry of the Secondary Controller List. Source: NVM Express Base Specification 2.3, Identify CNS 15h.</summary>
/// <param name="ControllerId">SCID: the secondary controller's identifier.</param>
/// <param name="PrimaryControllerId">PCID: the primary controller's identifier.</param>
/// <param name="Online">SCS bit 0: whether it can be used.</param>
/// <param name="VirtualFunctionNumber">VFN: 1 for the first VF; 0 if it is no VF.</param>
/// <param name="QueueResources">NVQ: VQ flexible resources assigned.</param>
/// <param name="InterruptResources">NVI: VI flexible resources assigned.</param>
internal readonly record struct SecondaryController(
    ushort ControllerId,
    ushort PrimaryControllerId,
    bool Online,
    ushort VirtualFunctionNumber,
    ushort QueueResources,
    ushort InterruptResources)
{
    private const int Length = 32;

    public static SecondaryController Read(ReadOnlySpan<byte> list, int index)
    {
        var entry = list.Slice(SecondaryControllerList.HeaderLength + (index * Length), Length);
        return new(
            BinaryPrimitives.ReadUInt16LittleEndian(entry),
            BinaryPrimitives.ReadUInt16LittleEndian(entry[2..]),
            (entry[4] & 1) != 0,
            BinaryPrimitives.ReadUInt16LittleEndian(entry[8..]),
            BinaryPrimitives.ReadUInt16LittleEndian(entry[10..]),
            BinaryPrimitives.ReadUInt16LittleEndian(entry[12..]));
    }
}
