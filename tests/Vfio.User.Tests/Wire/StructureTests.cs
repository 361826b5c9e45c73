using System.Runtime.InteropServices;
using Vfio.User.Tests.Peers;
using Vfio.User.Wire;

namespace Vfio.User.Tests.Wire;

public class StructureTests
{
    [Fact]
    public void Structures_lie_on_the_wire_as_the_specification_says()
    {
        AssertBytes(Fields.Of((ushort)1, (ushort)9, 32u, 0x11u, 5u), new MessageHeader
        {
            Id = 1, Command = Command.RegionRead, MessageSize = 32, Flags = MessageFlags.Reply | MessageFlags.NoReply, Error = 5,
        }, MessageHeader.Size);
        AssertBytes(Fields.Of((ushort)1, (ushort)2), new VersionHead { Major = 1, Minor = 2 }, VersionHead.Size);
        AssertBytes(Fields.Of(1u, 2u, 3u, 4u),
            new DeviceInfoStructure { ArgSize = 1, Flags = 2, RegionCount = 3, IrqCount = 4 }, DeviceInfoStructure.Size);
        AssertBytes(Fields.Of(1u, 2u, 3u, 4u, 5ul, 6ul), new RegionInfoStructure
        {
            ArgSize = 1, Flags = 2, Index = 3, CapOffset = 4, RegionSize = 5, FileOffset = 6,
        }, RegionInfoStructure.Size);
        AssertBytes(Fields.Of((ushort)1, (ushort)2, 3u), new CapabilityHeader { Id = 1, Version = 2, Next = 3 }, CapabilityHeader.Size);
        AssertBytes(Fields.Of(1u, 2u), new SparseMmapHead { AreaCount = 1, Reserved = 2 }, SparseMmapHead.Size);
        AssertBytes(Fields.Of(1u, 2u, 3u, 4u),
            new RegionIoFdsStructure { ArgSize = 1, Flags = 2, Index = 3, Count = 4 }, RegionIoFdsStructure.Size);
        AssertBytes(Fields.Of(1ul, 2ul, 3u, 4u, 5u, 6u, 7ul, 8ul), new IoEventFdStructure
        {
            Offset = 1, AccessSize = 2, DescriptorIndex = 3, Type = 4, Flags = 5,
            ShadowDescriptorIndex = 6, ShadowOffset = 7, DataMatch = 8,
        }, IoEventFdStructure.Size);
        AssertBytes(Fields.Of(1u, 2u, 3u, 4u),
            new IrqInfoStructure { ArgSize = 1, Flags = 2, Index = 3, Count = 4 }, IrqInfoStructure.Size);
        AssertBytes(Fields.Of(1u, 2u, 3ul, 4ul, 5ul), new DmaMapStructure
        {
            ArgSize = 1, Flags = DmaMapFlags.Write, FileOffset = 3, Address = 4, Length = 5,
        }, DmaMapStructure.Size);
        AssertBytes(Fields.Of(1u, 2u, 3ul, 4ul),
            new DmaUnmapStructure { ArgSize = 1, Flags = DmaUnmapFlags.All, Address = 3, Length = 4 }, DmaUnmapStructure.Size);
        AssertBytes(Fields.Of(1u, 2u, 3u, 4u, 5u),
            new SetIrqsStructure { ArgSize = 1, Flags = 2, Index = 3, Start = 4, Count = 5 }, SetIrqsStructure.Size);
        AssertBytes(Fields.Of(1ul, 2u, 3u), new RegionAccessStructure { Offset = 1, Region = 2, Count = 3 }, RegionAccessStructure.Size);
        AssertBytes(Fields.Of(1ul, 2ul), new DmaAccessStructure { Address = 1, Count = 2 }, DmaAccessStructure.Size);
        AssertBytes(Fields.Of(1u, 2u), new FeatureStructure { ArgSize = 1, Flags = 2 }, FeatureStructure.Size);
        AssertBytes(Fields.Of(1u, 2u), new MigrationDataStructure { ArgSize = 1, Length = 2 }, MigrationDataStructure.Size);
    }

    private static void AssertBytes<T>(byte[] expected, T structure, int size)
        where T : unmanaged
    {
        Assert.Equal(expected, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in structure)).ToArray());
        Assert.Equal(expected.Length, size);
    }
}
