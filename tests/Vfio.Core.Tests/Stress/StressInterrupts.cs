using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Native;

namespace Vfio.Core.Tests.Stress;

/// <summary>A client of the device's interrupts; it gives up where <paramref name="isEnding"/> says that the device goes.</summary>
internal sealed class StressInterrupts(StressDevice device, StressFunction function, Violations violations, Func<bool> isEnding)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>INTx as a guest has it: asserted, signalled, serviced, unmasked. It may be late, but it comes.</summary>
    public void ServeIntx(StressWorker worker)
    {
        worker.At = "INTx: enabling";
        using var trigger = EventFd.Create();
        using var unmask = EventFd.Create();
        if (Set(IrqIndex.Intx, IrqSetFlags.ActionTrigger, Requests.Duplicate(trigger)) != Errno.None)
            return;
        var byEventFd = worker.Random.Next(2) == 0
            && Set(IrqIndex.Intx, IrqSetFlags.ActionUnmask, Requests.Duplicate(unmask)) == Errno.None;
        for (var i = 0; i < 50 && !isEnding(); i++)
        {
            worker.At = "INTx: waiting";
            function.Lines.SetAsserted(true);
            var arrived = SpinWait.SpinUntil(() => EventFd.Consume(trigger) != 0 || isEnding() || violations.Any, Patience);
            violations.Check(arrived, "INTx was lost");
            function.Lines.SetAsserted(false);
            worker.At = "INTx: unmasking";
            if (byEventFd)
                EventFd.Signal(unmask);
            else
                device.SetIrqs(new() { Flags = IrqSetFlags.ActionUnmask | IrqSetFlags.DataNone, Count = 1 });
        }

        worker.At = "INTx: disabling";
        function.Lines.SetAsserted(false);
        if (!device.SetIrqs(new() { Flags = IrqSetFlags.ActionTrigger | IrqSetFlags.DataNone }).IsSuccess)
            return;
        EventFd.Consume(trigger);
        function.Lines.SetAsserted(true);
        function.Lines.SetAsserted(false);
        violations.Check(EventFd.Consume(trigger) == 0, "INTx is signalled after it was disabled");
    }

    /// <summary>Attaches, detaches, and looks whether anything comes behind that.</summary>
    public void UseMessages(StressWorker worker)
    {
        worker.At = "messages: attaching";
        var index = worker.Random.Next(2) == 0 ? IrqIndex.Msi : IrqIndex.Msix;
        var vector = (uint)worker.Random.Next(StressLines.Vectors);
        using var eventFd = EventFd.Create();
        var set = Set(index, IrqSetFlags.ActionTrigger, Requests.Duplicate(eventFd), vector);
        if (set != Errno.None)
        {
            // Another thread has the other index, or fewer MSI vectors, or the device is closed.
            violations.Check(set is Errno.EINVAL, $"SET_IRQS gave {set}");
            Disable(index, worker);
            return;
        }

        Await(worker, 1);
        worker.At = "messages: detaching";
        var detached = worker.Random.Next(2) == 0 ? Set(index, IrqSetFlags.ActionTrigger, null, vector) : Disable(index, worker);
        // The device is being closed, or the other thread's disable came first.
        if (detached != Errno.None)
            return;
        EventFd.Consume(eventFd);
        Await(worker, 2);
        violations.Check(EventFd.Consume(eventFd) == 0, "a detached eventfd was signalled");
    }

    private Errno Disable(IrqIndex index, StressWorker worker)
    {
        worker.At = $"messages: disabling {index}";
        return device.SetIrqs(new() { Index = (uint)index, Flags = IrqSetFlags.ActionTrigger | IrqSetFlags.DataNone }).Error;
    }

    // Until the function has fired everything so many times more.
    private void Await(StressWorker worker, int rounds)
    {
        worker.At = "messages: waiting";
        var until = function.Lines.Rounds + rounds;
        var fires = SpinWait.SpinUntil(() => function.Lines.Rounds >= until || isEnding() || violations.Any, Patience);
        violations.Check(fires, "the function fires no more");
    }

    private Errno Set(IrqIndex index, IrqSetFlags action, SafeFileHandle? eventFd, uint start = 0)
        => device.SetIrqs(new()
        {
            Index = (uint)index, Flags = action | IrqSetFlags.DataEventFd, Start = start, Count = 1, EventFds = new[] { eventFd },
        }).Error;
}
