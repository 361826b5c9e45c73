using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

/// <summary>All that a simulated controller writes into the guest's memory is in the log of its space, and nothing else is.</summary>
public class DmaLoggingTests
{
    private const int Page = 4096, Pages = (32 << 20) / Page;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_command_leaves_its_buffer_and_the_completion_queue_in_the_log(bool direct)
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0), new(direct)).Enable();
        Assert.True(fixture.Vf(0).IsDmaMediated);
        var queue = guest.CreateQueue(1);
        Start(guest);

        // Pages, and an end in the middle of one, with a list between them that is only read.
        const int Bytes = 17 * 512;
        var write = guest.Command(IoOpcode.Write, 1, cdw12: (Bytes / 512) - 1);
        var source = guest.Memory.Allocate(Bytes);
        guest.Memory.Describe(ref write, source, Bytes);
        Assert.Equal(NvmeStatus.Success, queue.Run(write).Status);
        Rest(guest);
        Assert.Equal([Index(queue.CompletionBase)], Report(guest));

        var read = guest.Command(IoOpcode.Read, 1, cdw12: (Bytes / 512) - 1);
        var buffer = guest.Memory.Allocate(Bytes);
        guest.Memory.Describe(ref read, buffer, Bytes);
        Assert.Equal(NvmeStatus.Success, queue.Run(read).Status);
        Rest(guest);
        Assert.Equal([Index(queue.CompletionBase), Index(buffer), Index(buffer) + 1, Index(buffer) + 2], Report(guest));

        var data = Index(guest.Memory.Allocate(Page) + Page);
        guest.Identify(Cns.Controller);
        Rest(guest);
        Assert.Equal([Index(guest.Admin.CompletionBase), data], Report(guest));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Shadow_doorbells_and_event_indexes_are_in_the_log_where_the_controller_writes_them(bool direct)
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0), new(direct)).Enable();
        var queue = guest.CreateQueue(1);
        var (shadow, events) = (guest.Memory.Allocate(Page), guest.Memory.Allocate(Page));
        Start(guest);
        var configure = guest.Command(AdminOpcode.DoorbellBufferConfig);
        (configure.Prp1, configure.Prp2) = (shadow, events);
        Assert.Equal(NvmeStatus.Success, guest.Run(configure).Status);
        Rest(guest);
        Assert.Contains(Index(events), Report(guest));

        // It moves the event index on before it goes to sleep.
        queue.Doorbell = (doorbell, value) =>
        {
            Volatile.Write(ref guest.Memory.At<uint>(shadow + (ulong)(doorbell * sizeof(uint))), value);
            Interlocked.MemoryBarrier();
            guest.Bar.Write((ulong)(BarLayout.Doorbells + (doorbell * 4)), 4, value);
        };
        Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Flush, uint.MaxValue)).Status);
        var index = events + ((ulong)BarLayout.SubmissionDoorbell(1) * sizeof(uint));
        GuestNvme.Until(() => Volatile.Read(ref guest.Memory.At<uint>(index)) == (uint)queue.Tail, "the event index");
        Rest(guest);
        Assert.Equal([Index(queue.CompletionBase), Index(events)], Report(guest).Except([Index(shadow)]).Order());
    }

    // The controller's thread is past everything it had begun, as a stopped device is.
    private static void Rest(GuestNvme guest) => guest.Function.ConnectDma(guest.Memory.Space);

    private static int Index(ulong iova) => (int)((iova - GuestMemory.Start) / Page);

    private static void Start(GuestNvme guest)
    {
        var pageSize = (ulong)Page;
        Assert.True(guest.Memory.Space.WriteLog.Start([new(GuestMemory.Start, (ulong)Pages * Page)], ref pageSize).IsSuccess);
    }

    private static List<int> Report(GuestNvme guest)
    {
        var bitmap = new ulong[Pages / 64];
        Assert.True(guest.Memory.Space.WriteLog.Report(GuestMemory.Start, (ulong)Pages * Page, Page, bitmap).IsSuccess);
        return [.. Enumerable.Range(0, Pages).Where(i => (bitmap[i >> 6] >> i & 1) != 0)];
    }
}
