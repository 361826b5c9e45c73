using System.Runtime.InteropServices;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class IoTests
{
    private const int Block = 512;

    [Theory]
    [InlineData(1, 0, 0)]
    [InlineData(8, 0, 0)]
    [InlineData(8, 516, 0)]
    [InlineData(16, 0, 0)]
    [InlineData(16, 4, 0)]
    [InlineData(17, 4092, 16)]
    [InlineData(1024, 0, 0)]
    [InlineData(1024, 2052, 8)]
    [InlineData(1024, 0, 4096 - 8)]
    [InlineData(1024, 128, 4096 - 64)]
    public async Task What_is_written_is_read_back_through_PRP_lists_of_every_shape(int blocks, int offset, int listOffset)
    {
        await using var fixture = await Fixture.CreateAsync();
        await Check(fixture, new(), blocks, offset, listOffset);
    }

    [Theory]
    [InlineData(8, 516, 0)]
    [InlineData(1024, 2052, 8)]
    public async Task Memory_that_is_reached_by_messages_alone_serves_as_well(int blocks, int offset, int listOffset)
    {
        await using var fixture = await Fixture.CreateAsync();
        await Check(fixture, new(direct: false), blocks, offset, listOffset);
    }

    [Fact]
    public async Task Pages_in_any_order_are_taken_in_the_order_of_the_list()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        const int Pages = 9;
        var data = guest.Memory.Allocate(Pages * 4096);
        new Random(7).NextBytes(guest.Memory.Span(data, Pages * 4096));
        ulong[] order = [.. Enumerable.Range(0, Pages).Select(i => data + ((ulong)(i * 5 % Pages) * 4096))];
        var write = guest.Command(IoOpcode.Write, 1, cdw12: (Pages * 8) - 1);
        write.Prp1 = order[0];
        write.Prp2 = guest.Memory.WriteList(order[1..], 0);
        Assert.Equal(NvmeStatus.Success, queue.Run(write).Status);
        var back = Transfer(guest, queue, IoOpcode.Read, 0, Pages * 8, guest.Memory.Allocate(Pages * 4096));
        for (var i = 0; i < Pages; i++)
            Assert.True(guest.Memory.Span(order[i], 4096).SequenceEqual(guest.Memory.Span(back + ((ulong)i * 4096), 4096)));
    }

    [Fact]
    public async Task Malformed_PRPs_are_refused()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        var page = guest.Memory.Allocate(8192);
        Assert.Equal(NvmeStatus.InvalidPrpOffset, Read(8, page + 1, 0));
        Assert.Equal(NvmeStatus.InvalidPrpOffset, Read(16, page, page + 4096 + 512));
        Assert.Equal(NvmeStatus.InvalidPrpOffset, Read(32, page, page + 4));
        Assert.Equal(NvmeStatus.InvalidPrpOffset, Read(32, page, guest.Memory.WriteList([page, page + 8, page], 0)));
        Assert.Equal(NvmeStatus.DataTransferError, Read(32, page, 0xDEAD_0000));
        Assert.Equal(NvmeStatus.DataTransferError, Read(8, 0xDEAD_0000, 0));
        Assert.Equal(NvmeStatus.DataTransferError, Read(8, ulong.MaxValue - 4095, 0));
        Assert.Equal(NvmeStatus.InvalidField, Read(1025, page, guest.Memory.WriteList([page], 0)));
        Assert.False(NvmeStatus.DataTransferError.DoNotRetry);

        NvmeStatus Read(uint blocks, ulong prp1, ulong prp2)
        {
            var entry = guest.Command(IoOpcode.Read, 1, cdw12: blocks - 1);
            entry.Prp1 = prp1;
            entry.Prp2 = prp2;
            return queue.Run(entry).Status;
        }
    }

    [Fact]
    public async Task Blocks_past_the_end_are_out_of_range()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        const uint Blocks = (64 << 20) / Block;
        foreach (var opcode in new[] { IoOpcode.Read, IoOpcode.Write, IoOpcode.WriteZeroes, IoOpcode.Verify, IoOpcode.Compare })
        {
            Assert.Equal(NvmeStatus.LbaOutOfRange, Run(opcode, Blocks, 0, 0));
            Assert.Equal(NvmeStatus.LbaOutOfRange, Run(opcode, Blocks - 1, 0, 1));
            Assert.Equal(NvmeStatus.LbaOutOfRange, Run(opcode, uint.MaxValue, uint.MaxValue, 0));
        }

        Assert.Equal(NvmeStatus.Success, Run(IoOpcode.Read, Blocks - 1, 0, 0));

        NvmeStatus Run(IoOpcode opcode, uint low, uint high, uint count)
        {
            var entry = guest.Command(opcode, 1, low, high, count);
            entry.Prp1 = guest.Memory.Allocate(4096);
            return queue.Run(entry).Status;
        }
    }

    [Fact]
    public async Task A_namespace_that_is_not_attached_is_invalid()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        foreach (var nsid in new uint[] { 0, 2, 5, uint.MaxValue - 1 })
            Assert.Equal(NvmeStatus.InvalidNamespace, queue.Run(guest.Command(IoOpcode.Read, nsid)).Status);
        Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Flush, uint.MaxValue)).Status);
        var entry = guest.Command(IoOpcode.Flush, 1);
        entry.Flags = 0x40;
        Assert.Equal(NvmeStatus.InvalidField, queue.Run(entry).Status);
    }

    [Fact]
    public async Task Zeroed_and_deallocated_blocks_read_as_zeroes_and_their_neighbours_do_not()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        const int Blocks = 64;
        var data = guest.Memory.Allocate(Blocks * Block);
        guest.Memory.Span(data, Blocks * Block).Fill(0xA5);
        Transfer(guest, queue, IoOpcode.Write, 0, Blocks, data);
        Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.WriteZeroes, 1, 3, cdw12: 9)).Status);
        var ranges = guest.Command(IoOpcode.DatasetManagement, 1, cdw10: 1, cdw11: 4);
        ranges.Prp1 = guest.Memory.Allocate(4096);
        MemoryMarshal.Cast<byte, uint>(guest.Memory.Span(ranges.Prp1, 32)).Clear();
        new uint[] { 0, 8, 24, 0, 0, 5, 41, 0 }.CopyTo(MemoryMarshal.Cast<byte, uint>(guest.Memory.Span(ranges.Prp1, 32)));
        Assert.Equal(NvmeStatus.Success, queue.Run(ranges).Status);
        var back = Transfer(guest, queue, IoOpcode.Read, 0, Blocks, guest.Memory.Allocate(Blocks * Block));
        for (var i = 0; i < Blocks; i++)
        {
            var zero = i is (>= 3 and < 13) or (>= 24 and < 32) or (>= 41 and < 46);
            Assert.Equal(zero ? 0 : 0xA5, guest.Memory.Span(back + ((ulong)i * Block), 1)[0]);
            Assert.Equal(zero ? 0 : 0xA5, guest.Memory.Span(back + ((ulong)i * Block) + Block - 1, 1)[0]);
        }

        MemoryMarshal.Cast<byte, uint>(guest.Memory.Span(ranges.Prp1, 32))[6] = uint.MaxValue;
        Assert.Equal(NvmeStatus.LbaOutOfRange, queue.Run(ranges).Status);
    }

    [Fact]
    public async Task Compare_tells_equal_from_different()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        var data = guest.Memory.Allocate(16384);
        new Random(3).NextBytes(guest.Memory.Span(data, 16384));
        Transfer(guest, queue, IoOpcode.Write, 0, 32, data);
        Transfer(guest, queue, IoOpcode.Compare, 0, 32, data);
        guest.Memory.Span(data, 16384)[16000] ^= 1;
        var entry = guest.Command(IoOpcode.Compare, 1, cdw12: 31);
        guest.Memory.Describe(ref entry, data, 16384);
        Assert.Equal(NvmeStatus.CompareFailure, queue.Run(entry).Status);
        Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Verify, 1, cdw12: 0xFFFF)).Status);
    }

    [Fact]
    public async Task Blocks_of_4096_bytes_and_a_shared_namespace_work()
    {
        const string Json = """
            { "models": [ { "model": "nvme", "address": "0000:02:00.0", "nqn": "nqn.2026-11.test:a", "virtualFunctions": { "count": 2 },
              "namespaces": [ { "id": 7, "size": 1048576, "blockSize": 4096 } ] } ] }
            """;
        await using var fixture = await Fixture.CreateAsync(Json);
        using var one = new GuestNvme(fixture.Vf(0)).Enable();
        using var two = new GuestNvme(fixture.Vf(1)).Enable();
        var data = one.Memory.Allocate(8192);
        new Random(5).NextBytes(one.Memory.Span(data, 8192));
        var write = one.Command(IoOpcode.Write, 7, cdw10: 254, cdw12: (1 << 30) | 1);
        one.Memory.Describe(ref write, data, 8192);
        Assert.Equal(NvmeStatus.Success, one.CreateQueue(1).Run(write).Status);
        var read = two.Command(IoOpcode.Read, 7, cdw10: 254, cdw12: 1);
        var back = two.Memory.Allocate(8192);
        two.Memory.Describe(ref read, back, 8192);
        Assert.Equal(NvmeStatus.Success, two.CreateQueue(1).Run(read).Status);
        Assert.True(one.Memory.Span(data, 8192).SequenceEqual(two.Memory.Span(back, 8192)));
        Assert.Equal(1, two.Identify(Cns.Namespace, 7)[IdentifyNamespace.Nmic]);
    }

    private static async Task Check(Fixture fixture, GuestMemory memory, int blocks, int offset, int listOffset)
    {
        await Task.Yield();
        using var guest = new GuestNvme(fixture.Vf(0), memory).Enable();
        var queue = guest.CreateQueue(1);
        var data = memory.Allocate((blocks * Block) + 8192) + (ulong)offset;
        var back = memory.Allocate((blocks * Block) + 8192) + (ulong)offset;
        new Random(blocks).NextBytes(memory.Span(data, blocks * Block));
        Transfer(guest, queue, IoOpcode.Write, 33, blocks, data, listOffset);
        Transfer(guest, queue, IoOpcode.Read, 33, blocks, back, listOffset);
        Assert.True(memory.Span(data, blocks * Block).SequenceEqual(memory.Span(back, blocks * Block)));
        // Not a byte around the buffer was touched.
        Assert.Equal(0, memory.Span(back + (ulong)(blocks * Block), 1)[0]);
        Assert.True(offset == 0 || memory.Span(back - 1, 1)[0] == 0);
    }

    private static ulong Transfer(GuestNvme guest, GuestQueue queue, IoOpcode opcode, uint block, int blocks, ulong data, int listOffset = 0)
    {
        var entry = guest.Command(opcode, 1, block, cdw12: (uint)blocks - 1);
        guest.Memory.Describe(ref entry, data, blocks * Block, listOffset);
        Assert.Equal(NvmeStatus.Success, queue.Run(entry).Status);
        return data;
    }
}
