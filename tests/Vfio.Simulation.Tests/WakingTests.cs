using System.Diagnostics;
using Vfio.Simulation.Driving;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class WakingTests
{
    [Fact]
    public void No_wake_up_is_lost()
    {
        const int Producers = 3, Rounds = 20_000;
        using var wake = new WakeEvent();
        using var ended = new ManualResetEventSlim();
        var asked = 0;
        var seen = 0;
        var waiter = new Thread(() =>
        {
            while (Volatile.Read(ref seen) < Producers * Rounds)
            {
                wake.Reset();
                if (Volatile.Read(ref asked) is var now && now != seen)
                    Volatile.Write(ref seen, now);
                else
                    wake.Wait();
            }

            ended.Set();
        }) { IsBackground = true };
        waiter.Start();
        var producers = Enumerable.Range(0, Producers).Select(p => new Thread(() =>
        {
            for (var i = 0; i < Rounds; i++)
            {
                var mine = Interlocked.Increment(ref asked);
                wake.Wake();
                // Mostly the waiter falls asleep between two rounds of the first producer.
                if (p == 0)
                    SpinWait.SpinUntil(() => Volatile.Read(ref seen) >= mine, GuestNvme.Deadline);
            }
        }) { IsBackground = true }).ToArray();
        foreach (var producer in producers)
            producer.Start();
        Assert.True(ended.Wait(GuestNvme.Deadline, TestContext.Current.CancellationToken), $"asleep after {seen} of {asked}");
        foreach (var producer in producers)
            producer.Join();
    }

    [Fact]
    public void A_thread_looks_on_for_longer_while_it_is_woken_soon_and_not_at_all_otherwise()
    {
        var window = new PollWindow();
        Assert.False(window.Continues());
        foreach (var microseconds in (ReadOnlySpan<int>)[10, 20, 40, 80, 80])
        {
            window.Slept(Ticks(50));
            Assert.InRange(Looked(window), Ticks(microseconds), long.MaxValue);
        }

        // Whoever is held up between two looks looks for longer, but not every time.
        Assert.Contains(Enumerable.Range(0, 100), _ =>
        {
            window.Worked();
            return Looked(window) < Ticks(160);
        });
        window.Slept(Ticks(1000));
        Assert.False(window.Continues());
    }

    [Fact]
    public void A_doorbell_that_rings_while_transfers_are_halted_is_heard_afterwards()
    {
        using var crank = new HandCrank();
        using var guest = new GuestNvme(crank.Function).Enable();
        var command = guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.Arbitration);
        var halted = crank.Function.Dma.HaltAsync(crank.Controller.RestAsync, () =>
        {
            guest.Admin.Submit(command);
            Assert.Null(guest.Admin.TryReap());
        });
        Assert.True(halted.IsCompletedSuccessfully);
        Assert.Equal(command.CommandId, guest.Admin.TryReap()?.CommandId);
    }

    [Fact]
    public async Task Memory_that_throws_while_the_device_falls_asleep_costs_the_device_alone()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1);
        var events = guest.Memory.Allocate(4096);
        var faulty = new FaultySpace(guest.Memory.Space) { Page = events };
        guest.Function.ConnectDma(faulty);
        var configure = guest.Command(AdminOpcode.DoorbellBufferConfig) with { Prp1 = guest.Memory.Allocate(4096), Prp2 = events };
        Assert.Equal(NvmeStatus.Success, guest.Run(configure).Status);
        Assert.Null(queue.TryReap());
        faulty.IsFaulty = true;
        guest.Admin.Ring();
        GuestNvme.Until(() => (guest.Csts & Register.CstsFatal) != 0, "CSTS.CFS");
        Assert.Contains("event page", Assert.Single(fixture.TakeFailures()), StringComparison.Ordinal);
    }

    private static long Looked(PollWindow window)
    {
        var since = Stopwatch.GetTimestamp();
        while (window.Continues())
            continue;
        return Stopwatch.GetTimestamp() - since;
    }

    private static long Ticks(long microseconds) => microseconds * Stopwatch.Frequency / 1_000_000;

    private sealed class FaultySpace(IDmaSpace memory) : IDmaSpace
    {
        private volatile bool _isFaulty;

        public ulong Page { get; init; }

        public bool IsFaulty
        {
            set => _isFaulty = value;
        }

        public bool TryAcquire(ulong iova, ulong length, DmaAccess access, out DmaSegment segment)
            => memory.TryAcquire(iova, length, access, out segment) && !Fails(iova);

        public VfioResult Read(ulong iova, Span<byte> destination) => memory.Read(iova, destination);

        public VfioResult Write(ulong iova, ReadOnlySpan<byte> source) => memory.Write(iova, source);

        public void CancelTransfers() => memory.CancelTransfers();

        private bool Fails(ulong iova)
            => _isFaulty && (iova & ~0xFFFul) == Page ? throw new InvalidOperationException("the event page is gone") : false;
    }
}
