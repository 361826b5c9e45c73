using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>Carries out one command of a client.</summary>
/// <param name="session">Whose.</param>
/// <param name="request">The command; what the handler does not take of its descriptors is closed after it.</param>
/// <param name="reply">Receives the payload and the descriptors that go back.</param>
/// <returns>Bytes of the payload; or the errno, which goes back in a header without payload.</returns>
internal delegate VfioResult<int> CommandHandler(ClientSession session, Message request, Reply reply);

/// <summary>Which handler carries out which command. A command without one is answered with EINVAL, as libvfio-user does.</summary>
internal static class CommandTable
{
    // VERSION is missing: it is carried out before a session has a device, and never again.
    private static readonly CommandHandler?[] Handlers = Build(
    [
        (Command.DmaMap, DmaCommands.Map),
        (Command.DmaUnmap, DmaCommands.Unmap),
        (Command.DeviceGetInfo, DeviceCommands.GetInfo),
        (Command.DeviceGetRegionInfo, RegionInfoCommand.Get),
        (Command.DeviceGetRegionIoFds, RegionIoFdsCommand.Get),
        (Command.DeviceGetIrqInfo, IrqCommands.GetInfo),
        (Command.DeviceSetIrqs, IrqCommands.Set),
        (Command.RegionRead, RegionAccessCommands.Read),
        (Command.RegionWrite, RegionAccessCommands.Write),
        (Command.DeviceReset, DeviceCommands.Reset),
        (Command.RegionWriteMulti, RegionAccessCommands.WriteMulti),
        (Command.DeviceFeature, FeatureCommand.Carry),
        (Command.MigrationDataRead, MigrationDataCommands.Read),
        (Command.MigrationDataWrite, MigrationDataCommands.Write),
        (Command.GetPrecopyInfo, MigrationDataCommands.GetPrecopyInfo),
    ]);

    public static CommandHandler? Find(Command command) => (int)command < Handlers.Length ? Handlers[(int)command] : null;

    private static CommandHandler?[] Build(ReadOnlySpan<(Command Command, CommandHandler Handler)> entries)
    {
        var handlers = new CommandHandler?[(int)Command.GetPrecopyInfo + 1];
        foreach (var (command, handler) in entries)
            handlers[(int)command] = handler;
        return handlers;
    }
}
