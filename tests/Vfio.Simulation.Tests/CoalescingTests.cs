using System.Diagnostics;
using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class CoalescingTests
{
    private const int Rounds = 200;

    [Fact]
    public void A_host_with_one_command_in_flight_is_interrupted_at_once_each_time()
    {
        using var crank = new HandCrank();
        using var guest = new GuestNvme(crank.Function).Enable();
        var queue = guest.CreateQueue(1, entries: 8);
        crank.TurnsWhenWoken = false;
        for (var i = 0; i < Rounds; i++)
        {
            queue.Submit(Read(guest));
            crank.Poll();
            Assert.Equal(1ul, guest.TakeInterrupts(1));
            Assert.NotNull(queue.TryReap());
        }
    }

    [Fact]
    public void A_host_that_leaves_its_entries_is_interrupted_for_several_at_a_time_and_no_later_than_the_device_sleeps()
    {
        using var crank = new HandCrank();
        using var guest = new GuestNvme(crank.Function).Enable();
        var queue = guest.CreateQueue(1, entries: 64);
        crank.TurnsWhenWoken = false;
        ulong interrupts = 0, entries = 0;
        for (var i = 0; i < Rounds; i++)
        {
            for (var j = 0; j < 32; j++, entries++)
            {
                queue.Submit(Read(guest));
                crank.Poll();
            }

            interrupts += guest.TakeInterrupts(1);
            var late = crank.Controller.Queues.Completion(1)!.Unannounced;
            Assert.True(crank.Controller.Arm());
            Assert.False(crank.Controller.Queues.Completion(1)!.Unannounced);
            var last = guest.TakeInterrupts(1);
            Assert.Equal(late ? 1ul : 0, last);
            interrupts += last;
            while (queue.TryReap() is not null)
                continue;
        }

        Assert.InRange(interrupts, (ulong)Rounds, entries / 2);
    }

    [Fact]
    public void What_may_take_long_keeps_no_interrupt_back()
    {
        using var crank = new HandCrank();
        using var guest = new GuestNvme(crank.Function).Enable();
        var queue = guest.CreateQueue(1, entries: 64);
        crank.TurnsWhenWoken = false;
        var heldBack = 0;
        for (var i = 0; i < 60; i++)
        {
            queue.Submit(Read(guest));
            crank.Poll();
            guest.TakeInterrupts(1);
            if (!crank.Controller.Queues.Completion(1)!.Unannounced)
                continue;
            heldBack++;
            queue.Submit(guest.Command(IoOpcode.Flush, 1));
            i++;
            crank.Poll();
            Assert.NotEqual(0ul, guest.TakeInterrupts(1));
        }

        Assert.NotEqual(0, heldBack);
    }

    [Fact]
    public void A_host_that_never_moves_its_head_is_interrupted_although_the_device_does_not_sleep()
    {
        using var crank = new HandCrank();
        using var guest = new GuestNvme(crank.Function).Enable();
        var queue = guest.CreateQueue(1, entries: 64);
        crank.TurnsWhenWoken = false;
        for (var i = 0; i < 63; i++)
        {
            queue.Submit(Read(guest));
            crank.PollUntil(() => guest.TakeInterrupts(1) == 1, "the interrupt");
        }
    }

    [Fact]
    public async Task A_busy_host_loses_no_completion()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1, entries: 64);
        const int Commands = 20_000, Depth = 48;
        var submitted = 0;
        for (var done = 0; done < Commands;)
        {
            for (; submitted < Commands && submitted - done < Depth; submitted++)
                queue.Submit(Read(guest));
            // The entries alone say how much there is; the interrupt alone says when.
            guest.WaitInterrupt(1);
            for (; queue.TryReap(ring: (done & 7) == 0) is not null; done++)
                continue;
            queue.RingHead();
        }
    }

    [Fact]
    public void A_queue_that_was_deleted_says_nothing_more()
    {
        using var crank = new HandCrank();
        using var guest = new GuestNvme(crank.Function).Enable(entries: 64);
        for (var i = 0; i < Rounds; i++)
        {
            crank.TurnsWhenWoken = true;
            var queue = guest.CreateQueue(1, entries: 8);
            Assert.Equal(NvmeStatus.Success, queue.Run(Read(guest)).Status);
            crank.TurnsWhenWoken = false;
            for (var j = 0; j < 3; j++)
            {
                queue.Submit(Read(guest));
                crank.Poll();
            }

            guest.Admin.Push(guest.Command(AdminOpcode.DeleteSubmissionQueue, cdw10: 1));
            guest.Admin.Submit(guest.Command(AdminOpcode.DeleteCompletionQueue, cdw10: 1));
            crank.Poll();
            Assert.Null(crank.Controller.Queues.Completion(1));
            guest.TakeInterrupts(1);
            // Longer than any interrupt is kept back.
            var since = Stopwatch.GetTimestamp();
            crank.PollUntil(() => Stopwatch.GetElapsedTime(since) > TimeSpan.FromMilliseconds(0.2), "time to pass");
            Assert.Equal(0ul, guest.TakeInterrupts(1));
            while (guest.Admin.TryReap() is { } completion)
                Assert.Equal(NvmeStatus.Success, completion.Status);
        }

        crank.TurnsWhenWoken = true;
        Assert.Equal(0ul, GuestNvme.U64(guest.Log(LogPage.ErrorInformation, 64), 0));
    }

    [Fact]
    public void A_controller_that_fails_has_told_of_what_it_completed()
    {
        using var crank = new HandCrank();
        using var guest = new GuestNvme(crank.Function);
        for (var i = 0; i < 20; i++)
            Fail(crank, guest.Enable());
    }

    private static void Fail(HandCrank crank, GuestNvme guest)
    {
        crank.TurnsWhenWoken = true;
        var queue = guest.CreateQueue(1, entries: 8);
        var broken = guest.Command(AdminOpcode.CreateSubmissionQueue, cdw10: 2 | (7 << 16), cdw11: (1 << 16) | 1) with { Prp1 = 0xDEAD_0000 };
        Assert.Equal(NvmeStatus.Success, guest.Run(broken).Status);
        crank.TurnsWhenWoken = false;
        for (var j = 0; j < 3; j++)
        {
            queue.Submit(Read(guest));
            crank.Poll();
        }

        guest.TakeInterrupts(1);
        queue.Push(Read(guest));
        queue.Ring();
        queue.Ring(BarLayout.SubmissionDoorbell(2), 1);
        crank.Poll();
        Assert.NotEqual(0u, guest.Csts & Register.CstsFatal);
        crank.PollUntil(() => guest.TakeInterrupts(1) == 1, "the interrupt of the last completion");
        crank.TurnsWhenWoken = true;
    }

    // A page that the driver's own structures never reach.
    private static SubmissionEntry Read(GuestNvme guest)
        => guest.Command(IoOpcode.Read, 1) with { Prp1 = GuestMemory.Start + (31 << 20) };
}
