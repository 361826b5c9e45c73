using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Client;

/// <summary>What a server says of its device and cannot be.</summary>
public class HostileDeviceTests
{
    private const uint Sparse = 1 | (1u << 16);

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string, uint, byte[]> Chains => new()
    {
        { "begins within the structure", 16, new byte[16] },
        { "begins behind the reply", 4096, new byte[16] },
        { "begins at the last byte", 47, new byte[16] },
        { "wraps", uint.MaxValue, new byte[16] },
        { "leads to itself", 32, Fields.Of(99u, 32u, 0ul) },
        { "leads back", 40, Fields.Of(99u, 0u, 99u, 32u) },
        { "leads into its own header", 32, Fields.Of(99u, 36u, 0ul) },
        { "leads behind the reply", 32, Fields.Of(99u, uint.MaxValue, 0ul) },
        { "has more areas than bytes", 32, Fields.Of(Sparse, 0u, uint.MaxValue, 0u, 0ul, 0x1000ul) },
        { "has areas whose bytes wrap", 32, Fields.Of(Sparse, 0u, 0x10000001u, 0u, 0ul, 0x1000ul) },
        { "has an area behind the region", 32, Fields.Of(Sparse, 0u, 1u, 0u, 0x10000ul, 0x1000ul) },
        { "has an area over the region's end", 32, Fields.Of(Sparse, 0u, 1u, 0u, 0xf000ul, 0x2000ul) },
        { "has an area that wraps", 32, Fields.Of(Sparse, 0u, 1u, 0u, ulong.MaxValue - 0xfff, 0x2000ul) },
        { "has areas over each other", 32, Fields.Of(Sparse, 0u, 2u, 0u, 0x2000ul, 0x2000ul, 0ul, 0x3000ul) },
        { "has an area of part of a page", 32, Fields.Of(Sparse, 0u, 1u, 0u, 0x1000ul, 0x800ul) },
        { "cuts a type", 32, Fields.Of(2u | (1u << 16), 0u, 0u) },
    };

    [Theory]
    [MemberData(nameof(Chains))]
    public async Task A_chain_that_cannot_be_is_no_device(string what, uint first, byte[] chain)
    {
        await using var device = new ScriptedDevice((request, socket) => AnswerRegion(request, socket, first, chain));
        Assert.Equal((what, Errno.EPROTO), (what, (await device.OpenAsync(cancellationToken: Cancelled)).Error));
    }

    [Fact]
    public async Task Info_that_grows_with_every_answer_is_asked_for_twice()
    {
        var asked = 0;
        await using var device = new ScriptedDevice((request, socket) =>
        {
            if (request.Command != 5)
                return false;
            var room = BitConverter.ToUInt32(request.Payload);
            asked++;
            ScriptedDevice.Reply(socket, request, Fields.Of(room + 16, 0xbu, 0u, 0u, 0x10000ul, 0ul));
            return true;
        });
        Assert.Equal(Errno.None, (await device.OpenAsync(cancellationToken: Cancelled)).Error);
        Assert.Equal((2, 0x10000ul), (asked, device.Device.GetRegionInfo(0).Value.Size));
    }

    [Theory]
    [InlineData(uint.MaxValue)]
    [InlineData((1u << 20) + 1)]
    public async Task Info_longer_than_a_message_is_not_asked_for(uint size)
    {
        await using var device = new ScriptedDevice((request, socket) =>
        {
            if (request.Command == 5)
                ScriptedDevice.Reply(socket, request, Fields.Of(size, 0xbu, 0u, 0u, 0x10000ul, 0ul));
            return request.Command == 5;
        });
        Assert.Equal(Errno.EPROTO, (await device.OpenAsync(cancellationToken: Cancelled)).Error);
    }

    [Theory]
    [InlineData(101u, 5u)]
    [InlineData(uint.MaxValue, 5u)]
    [InlineData(9u, uint.MaxValue)]
    public async Task More_regions_or_irqs_than_there_can_be_are_no_device(uint regions, uint irqs)
    {
        await using var device = new ScriptedDevice((request, socket) =>
        {
            if (request.Command == 4)
                ScriptedDevice.Reply(socket, request, Fields.Of(16u, 2u, regions, irqs));
            return request.Command == 4;
        });
        Assert.Equal(Errno.EPROTO, (await device.OpenAsync(cancellationToken: Cancelled)).Error);
    }

    [Fact]
    public async Task Entries_of_40_bytes_are_read_and_descriptors_too_many_are_closed()
    {
        using var one = TestFiles.EventFd();
        using var other = TestFiles.EventFd();
        await using var device = new ScriptedDevice((request, socket) =>
        {
            // Two entries of one descriptor, one of the other, and a third that no entry names.
            if (request.Command == 6)
            {
                ScriptedDevice.Reply(
                    socket, request, Fields.Of(
                        16u + 120, 0u, 0u, 3u, Short(0x10, 4, 1, 0, 7), Short(0x20, 2, 0, 1, 0xabcdef), Short(0x30, 8, 1, 0, ulong.MaxValue)),
                    one, other, one);
            }

            return request.Command == 6;
        });
        Assert.Equal(Errno.None, (await device.OpenAsync(cancellationToken: Cancelled)).Error);
        var events = device.Device.GetIoEventFds(0).Value;
        Assert.Equal(
            [(0x30ul, 8ul, 0u, ulong.MaxValue), (0x20ul, 2ul, 1u, 0xabcdeful), (0x10ul, 4ul, 0u, 7ul)],
            events.Select(e => (e.Offset, (ulong)e.Size, e.Flags, e.DataMatch)));
        Assert.Same(events[0].EventFd, events[2].EventFd);
        Assert.True(Native.EventFd.Signal(events[1].EventFd));
        Assert.Equal((0ul, 1ul), (TestFiles.Count(other), TestFiles.Count(one)));
    }

    [Theory]
    [InlineData(1u, 1, 40)]
    [InlineData(0x7fffffffu, 1, 40)]
    [InlineData(0xfffffffeu, 1, 40)]
    [InlineData(0u, 0, 40)]
    [InlineData(0u, 1, 39)]
    [InlineData(0u, 1, 41)]
    [InlineData(0u, 1, 0)]
    public async Task An_entry_without_its_descriptor_or_its_bytes_ends_the_connection(uint index, int descriptors, int length)
    {
        using var one = TestFiles.EventFd();
        await using var device = new ScriptedDevice((request, socket) =>
        {
            if (request.Command == 6)
            {
                var entry = Short(0, 4, index, 0, 0);
                Array.Resize(ref entry, length);
                ScriptedDevice.Reply(socket, request, Fields.Of(64u, 0u, 0u, 1u, entry), [.. Enumerable.Repeat(one, descriptors)]);
            }

            return request.Command == 6;
        });
        Assert.Equal(Errno.None, (await device.OpenAsync(cancellationToken: Cancelled)).Error);
        Assert.Equal(Errno.EPROTO, device.Device.GetIoEventFds(0).Error);
        Assert.Equal(Errno.ENOTCONN, device.Device.Read(0, 0, new byte[4]).Error);
    }

    [Fact]
    public async Task The_server_is_served_before_it_gives_a_range_back()
    {
        var answers = new List<RawMessage>();
        await using var device = new ScriptedDevice((request, socket) =>
        {
            if (request.Command != 3)
                return false;
            foreach (var address in new[] { 0ul, 0x2000ul })
            {
                socket.Send(RawMessage.Build(9, 11, Fields.Of(address, 4ul)));
                answers.Add(socket.ReceiveMessage()!);
            }

            return false;
        });
        var dma = new DmaSpace();
        Assert.True(dma.Map(LocalMemory.Allocate(0, 0x1000)).IsSuccess);
        Assert.True(dma.Map(LocalMemory.Allocate(0x2000, 0x1000)).IsSuccess);
        Assert.Equal(Errno.None, (await device.OpenAsync(dma, Cancelled)).Error);
        var unmapping = Task.Factory.StartNew(
            () => dma.Unmap(0, 0xfff), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Assert.Equal(0x1000ul, (await unmapping.WaitAsync(TimeSpan.FromSeconds(20), Cancelled)).Value);
        Assert.Equal([(uint)Errno.ENODEV, 0u], answers.Select(answer => (uint)answer.Error));
        await device.Device.CloseAsync(ResetCause.Close);
        dma.UnmapAll();
    }

    private static byte[] Short(ulong offset, ulong size, uint descriptor, uint flags, ulong match)
        => Fields.Of(offset, size, descriptor, 0u, flags, 0u, match);

    private static bool AnswerRegion(RawMessage request, RawSocket socket, uint first, byte[] chain)
    {
        if (request.Command != 5)
            return false;
        var room = (int)BitConverter.ToUInt32(request.Payload);
        var whole = Fields.Of((uint)(32 + chain.Length), 0xfu, 0u, first, 0x10000ul, 0ul, chain);
        ScriptedDevice.Reply(socket, request, whole[..Math.Min(room, whole.Length)]);
        return true;
    }
}
