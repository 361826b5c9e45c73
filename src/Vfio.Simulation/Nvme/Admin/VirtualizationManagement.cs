using Vfio.Simulation.Nvme.Layout;

namespace Vfio.Simulation.Nvme.Admin;

/// <summary>
/// Virtualization Management: resources and states of secondary controllers. Source: NVM Express Base Specification 1.4, 5.22.
/// </summary>
internal sealed class VirtualizationManagement(NvmeSubsystem subsystem)
{
    private enum Action
    {
        PrimaryAllocate = 1,
        SecondaryOffline = 7,
        SecondaryAssign = 8,
        SecondaryOnline = 9,
    }

    internal CommandResult Execute(in AdminCommand command)
    {
        var dword10 = command.Entry.Cdw10;
        var action = (Action)(dword10 & 0xF);
        var resource = (dword10 >> 8) & 7;
        var id = (ushort)(dword10 >> 16);
        var count = (int)(command.Entry.Cdw11 & 0xFFFF);
        const uint Interrupts = 1;
        if (action is Action.PrimaryAllocate or Action.SecondaryAssign && resource > Interrupts)
            return NvmeStatus.InvalidResourceIdentifier;
        if (action == Action.PrimaryAllocate)
        {
            return id == subsystem.Primary.Id
                ? subsystem.AllocateToPrimary(resource == Interrupts, count)
                : NvmeStatus.InvalidControllerIdentifier;
        }

        if (action is not (Action.SecondaryOffline or Action.SecondaryAssign or Action.SecondaryOnline))
            return NvmeStatus.InvalidField;
        if (subsystem.Secondaries.FirstOrDefault(s => s.Controller.Id == id) is not { } secondary)
            return NvmeStatus.InvalidControllerIdentifier;
        return action switch
        {
            Action.SecondaryAssign => subsystem.Assign(secondary, resource == Interrupts, count),
            Action.SecondaryOnline => WhenDone(subsystem.BringOnlineAsync(secondary)),
            _ => WhenDone(subsystem.TakeOfflineAsync(secondary)),
        };
    }

    // The other controller's thread has to come to rest first; this one must see the end of it.
    private CommandResult WhenDone(Task<CommandResult> task)
    {
        if (task.IsCompletedSuccessfully)
            return task.Result;
        _ = task.ContinueWith(
            static (_, primary) => ((NvmeController)primary!).Wake(),
            subsystem.Primary, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return new CommandResult { Later = task };
    }
}
