using Vfio.Simulation.Nvme.Layout;
using Vfio.Simulation.Tests.Guest;

namespace Vfio.Simulation.Tests;

public class QueueTests
{
    [Fact]
    public async Task Queues_are_granted_as_the_controller_has_them()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        Assert.Equal(0x0003_0003u, SetQueues(guest, 64, 64).Dword0);
        Assert.Equal(0x0001_0000u, SetQueues(guest, 1, 2).Dword0);
        Assert.Equal(0x0001_0000u, guest.Run(guest.Command(AdminOpcode.GetFeatures, cdw10: (uint)NvmeFeature.NumberOfQueues)).Dword0);
        Assert.Equal(NvmeStatus.InvalidField, SetQueues(guest, 0x10000, 1).Status);
        guest.CreateQueue(1);
        Assert.Equal(NvmeStatus.CommandSequenceError, SetQueues(guest, 4, 4).Status);
    }

    [Fact]
    public async Task A_queue_that_cannot_be_is_refused_with_the_status_that_says_why()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var page = guest.Memory.Allocate(4096);
        Assert.Equal(NvmeStatus.InvalidQueueIdentifier, Completion(guest, 0, 16, page));
        Assert.Equal(NvmeStatus.InvalidQueueIdentifier, Completion(guest, 5, 16, page));
        Assert.Equal(NvmeStatus.InvalidQueueSize, Completion(guest, 1, 1, page));
        Assert.Equal(NvmeStatus.InvalidQueueSize, Completion(guest, 1, 1025, page));
        Assert.Equal(NvmeStatus.InvalidPrpOffset, Completion(guest, 1, 16, page + 8));
        Assert.Equal(NvmeStatus.InvalidField, Completion(guest, 1, 16, page, flags: 0));
        Assert.Equal(NvmeStatus.InvalidInterruptVector, Completion(guest, 1, 16, page, vector: 5));
        Assert.Equal(NvmeStatus.Success, Completion(guest, 1, 16, page));
        Assert.Equal(NvmeStatus.InvalidQueueIdentifier, Completion(guest, 1, 16, page));
        Assert.Equal(NvmeStatus.CompletionQueueInvalid, Submission(guest, 2, 16, page, 2));
        Assert.Equal(NvmeStatus.InvalidQueueIdentifier, Submission(guest, 2, 16, page, 0));
        Assert.Equal(NvmeStatus.InvalidQueueIdentifier, Submission(guest, 2, 16, page, 5));
        Assert.Equal(NvmeStatus.Success, Submission(guest, 2, 16, page, 1));
        Assert.Equal(NvmeStatus.InvalidQueueDeletion, guest.Run(guest.Command(AdminOpcode.DeleteCompletionQueue, cdw10: 1)).Status);
        Assert.Equal(NvmeStatus.Success, guest.Run(guest.Command(AdminOpcode.DeleteSubmissionQueue, cdw10: 2)).Status);
        Assert.Equal(NvmeStatus.InvalidQueueIdentifier, guest.Run(guest.Command(AdminOpcode.DeleteSubmissionQueue, cdw10: 2)).Status);
        Assert.Equal(NvmeStatus.Success, guest.Run(guest.Command(AdminOpcode.DeleteCompletionQueue, cdw10: 1)).Status);
    }

    [Fact]
    public async Task Completions_keep_their_phase_through_many_wraps()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1, entries: 3);
        for (var i = 0; i < 50; i++)
            Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Flush, 1)).Status);
    }

    [Fact]
    public async Task Four_queues_share_a_tiny_completion_queue_and_none_of_their_completions_is_lost()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var shared = guest.CreateQueue(1, entries: 4);
        GuestQueue[] queues = [shared, .. Enumerable.Range(2, 3).Select(id => guest.CreateQueue((ushort)id, 64, completion: shared))];
        var expected = new HashSet<ushort>();
        foreach (var queue in queues)
        {
            for (var i = 0; i < (queue == shared ? 3 : 40); i++)
            {
                var entry = guest.Command(IoOpcode.Flush, 1);
                expected.Add(entry.CommandId);
                queue.Push(entry);
            }

            queue.Ring();
        }

        // Three completions fill the queue; a fourth would overwrite one that the host has not taken.
        var first = shared.Reap(ring: false);
        Assert.NotNull(shared.Reap(ring: false).ToString());
        Assert.NotNull(shared.Reap(ring: false).ToString());
        Assert.Null(shared.TryReap(ring: false));
        Assert.True(expected.Remove(first.CommandId));
        shared.RingHead();
        for (var left = expected.Count - 2; left > 0; left--)
            Assert.Contains(shared.Reap().CommandId, expected);
        Assert.Null(shared.TryReap());
    }

    [Fact]
    public async Task A_doorbell_of_no_queue_is_an_error_event()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        guest.Admin.Submit(guest.Command(AdminOpcode.AsyncEventRequest));
        guest.Admin.Ring(BarLayout.SubmissionDoorbell(3), 1);
        Assert.Equal(0x01_00_00u, guest.Admin.Reap().Dword0);
        Assert.Equal(1ul, GuestNvme.U64(guest.Log(LogPage.ErrorInformation, 64), ErrorEntry.ErrorCount));
    }

    [Fact]
    public async Task A_tail_outside_the_queue_is_an_error_event_and_ignored()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1, entries: 8);
        guest.Admin.Submit(guest.Command(AdminOpcode.AsyncEventRequest));
        queue.Ring(BarLayout.SubmissionDoorbell(1), 8);
        Assert.Equal(0x01_01_00u, guest.Admin.Reap().Dword0);
        Assert.Equal(NvmeStatus.Success, queue.Run(guest.Command(IoOpcode.Flush, 1)).Status);
    }

    [Fact]
    public async Task A_head_past_what_was_posted_is_an_error_event_and_ignored()
    {
        await using var fixture = await Fixture.CreateAsync();
        using var guest = new GuestNvme(fixture.Vf(0)).Enable();
        var queue = guest.CreateQueue(1, entries: 8);
        guest.Admin.Submit(guest.Command(AdminOpcode.AsyncEventRequest));
        queue.Ring(BarLayout.CompletionDoorbell(1), 5);
        queue.Submit(guest.Command(IoOpcode.Flush, 1));
        Assert.Equal(0x01_01_00u, guest.Admin.Reap().Dword0);
        Assert.Equal(NvmeStatus.Success, queue.Reap().Status);
    }

    private static Completion SetQueues(GuestNvme guest, uint submission, uint completion)
        => guest.Run(guest.Command(AdminOpcode.SetFeatures, cdw10: (uint)NvmeFeature.NumberOfQueues, cdw11: (submission - 1) | ((completion - 1) << 16)));

    private static NvmeStatus Completion(GuestNvme guest, uint id, uint entries, ulong at, uint flags = 3, uint vector = 1)
    {
        var entry = guest.Command(AdminOpcode.CreateCompletionQueue, cdw10: id | ((entries - 1) << 16), cdw11: (vector << 16) | flags);
        entry.Prp1 = at;
        return guest.Run(entry).Status;
    }

    private static NvmeStatus Submission(GuestNvme guest, uint id, uint entries, ulong at, uint completion)
    {
        var entry = guest.Command(AdminOpcode.CreateSubmissionQueue, cdw10: id | ((entries - 1) << 16), cdw11: (completion << 16) | 1);
        entry.Prp1 = at;
        return guest.Run(entry).Status;
    }

    [Fact]
    public void Aborts_take_no_slot_from_the_commands_that_were_fetched_with_them()
    {
        using var crank = new HandCrank();
        using var guest = new GuestNvme(crank.Function).Enable(entries: 6);
        crank.TurnsWhenWoken = false;
        var requests = new ushort[4];
        for (var i = 0; i < requests.Length; i++)
        {
            var request = guest.Command(AdminOpcode.AsyncEventRequest);
            requests[i] = request.CommandId;
            guest.Admin.Submit(request);
            crank.Poll();
        }

        List<ushort> expected = [];
        foreach (var request in requests)
        {
            var abort = guest.Command(AdminOpcode.Abort, cdw10: (uint)request << 16);
            expected.Add(abort.CommandId);
            guest.Admin.Push(abort);
        }

        guest.Admin.Ring();
        crank.Poll();
        crank.Poll();
        Assert.InRange(crank.Controller.Queues.Completion(0)!.Used, expected.Count, 5);
        var completions = new List<ushort>();
        while (guest.Admin.TryReap() is { } completion)
        {
            completions.Add(completion.CommandId);
            crank.Poll();
        }

        Assert.Empty(expected.Except(completions));
    }
}
