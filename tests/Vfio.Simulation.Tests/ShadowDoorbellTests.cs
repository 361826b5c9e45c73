using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class ShadowDoorbellTests
{
    [Fact]
    public async Task A_host_rings_registers_rarely_and_loses_nothing()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1, entries: 128);
        var shadow = Configure(guest, queue, out var rings);
        const int Commands = 4_000, Depth = 64;
        var submitted = 0;
        for (var done = 0; done < Commands;)
        {
            while (submitted < Commands && submitted - done < Depth)
            {
                queue.Submit(guest.Command(IoOpcode.Flush, uint.MaxValue));
                submitted++;
            }

            Assert.Equal(NvmeStatus.Success, queue.Reap().Status);
            done++;
            while (queue.TryReap() is not null)
                done++;
        }

        // Every command and every completion would have been a ring.
        Assert.InRange(rings(), 1, Commands);
        Assert.Equal((uint)queue.Tail, guest.Memory.At<uint>(shadow + 8));
    }

    [Fact]
    public async Task One_command_at_a_time_always_gets_through()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1, entries: 8);
        Configure(guest, queue, out _);
        for (var i = 0; i < 2_000; i++)
            Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Flush, uint.MaxValue)).Status);
    }

    [Fact]
    public async Task A_full_completion_queue_is_noticed_when_the_host_makes_room()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var tiny = guest.CreateQueue(1, entries: 4);
        var other = guest.CreateQueue(2, entries: 64, completion: tiny);
        Configure(guest, tiny, out _);
        other.Doorbell = tiny.Doorbell;
        for (var round = 0; round < 50; round++)
        {
            for (var i = 0; i < 30; i++)
                other.Push(guest.Command(IoOpcode.Flush, uint.MaxValue));
            other.Ring();
            for (var i = 0; i < 30; i++)
                Assert.Equal(NvmeStatus.Success, tiny.Reap().Status);
        }
    }

    [Fact]
    public async Task Pages_that_are_none_are_refused_and_a_new_queue_starts_at_zero()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var shadow = guest.Memory.Allocate(4096);
        Assert.Equal(NvmeStatus.InvalidField, Command(guest, shadow + 8, shadow));
        Assert.Equal(NvmeStatus.InvalidField, Command(guest, shadow, 0));
        Assert.Equal(NvmeStatus.DataTransferError, Prepared(guest));
        var queue = guest.CreateQueue(1);
        Configure(guest, queue, out _);
        Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Flush, 1)).Status);
        Assert.Equal(NvmeStatus.Success, guest.Run(guest.Command(AdminOpcode.DeleteSubmissionQueue, cdw10: 1)).Status);
        Assert.Equal(NvmeStatus.Success, guest.Run(guest.Command(AdminOpcode.DeleteCompletionQueue, cdw10: 1)).Status);
        var again = guest.CreateQueue(1);
        again.Doorbell = queue.Doorbell;
        Assert.Equal(NvmeStatus.Success, again.Run(guest.Command(IoOpcode.Flush, 1)).Status);

        static NvmeStatus Prepared(GuestNvme guest)
        {
            guest.CreateQueue(2);
            return Command(guest, 0xDEAD_0000, 0xDEAD_1000);
        }
    }

    // The host's side of the protocol: store, full barrier, ring only if the event index was passed.
    private static ulong Configure(GuestNvme guest, GuestQueue queue, out Func<int> rings)
    {
        var shadow = guest.Memory.Allocate(4096);
        var events = guest.Memory.Allocate(4096);
        Assert.Equal(NvmeStatus.Success, Command(guest, shadow, events));
        var count = 0;
        queue.Doorbell = (doorbell, value) =>
        {
            ref var slot = ref guest.Memory.At<uint>(shadow + ((ulong)doorbell * 4));
            var old = slot;
            Volatile.Write(ref slot, value);
            Interlocked.MemoryBarrier();
            var passed = Volatile.Read(ref guest.Memory.At<uint>(events + ((ulong)doorbell * 4)));
            if ((ushort)(value - passed - 1) >= (ushort)(value - old))
                return;
            count++;
            guest.Bar.Write((ulong)(BarLayout.Doorbells + (doorbell * 4)), 4, value);
        };
        rings = () => count;
        return shadow;
    }

    private static NvmeStatus Command(GuestNvme guest, ulong shadow, ulong events)
        => guest.Run(guest.Command(AdminOpcode.DoorbellBufferConfig) with { Prp1 = shadow, Prp2 = events }).Status;
}
