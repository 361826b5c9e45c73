using System.Buffers.Binary;

namespace Vfio.Tool.Demo.Nvme;

/// <summary>Submission queue entries. Source: NVM Express Base Specification 2.3, 4.1; NVM Command Set Specification 1.1.</summary>
internal static class Command
{
    public const int Length = 64;
    public const int CompletionLength = 16;

    public static byte[] Identify(byte cns, uint namespaceId, ulong data) => Build(0x06, namespaceId, data, cns);

    public static byte[] CreateCompletionQueue(ushort id, int entries, ulong memory, ushort vector)
        => Build(0x05, 0, memory, id | ((uint)(entries - 1) << 16), ((uint)vector << 16) | 3);

    public static byte[] CreateSubmissionQueue(ushort id, int entries, ulong memory)
        => Build(0x01, 0, memory, id | ((uint)(entries - 1) << 16), ((uint)id << 16) | 1);

    public static byte[] Write(uint namespaceId, ulong lba, int blocks, ulong data)
        => Build(0x01, namespaceId, data, (uint)lba, (uint)(lba >> 32), (uint)(blocks - 1));

    public static byte[] Read(uint namespaceId, ulong lba, int blocks, ulong data)
        => Build(0x02, namespaceId, data, (uint)lba, (uint)(lba >> 32), (uint)(blocks - 1));

    private static byte[] Build(byte opcode, uint namespaceId, ulong data, uint cdw10 = 0, uint cdw11 = 0, uint cdw12 = 0)
    {
        var entry = new byte[Length];
        entry[0] = opcode;
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(4), namespaceId);
        BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(24), data);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(40), cdw10);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(44), cdw11);
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(48), cdw12);
        return entry;
    }
}
