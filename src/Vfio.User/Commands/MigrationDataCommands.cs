using System.Runtime.InteropServices;
using Vfio.User.Sessions;
using Vfio.User.Transport;
using Vfio.User.Wire;

namespace Vfio.User.Commands;

/// <summary>MIG_DATA_READ and MIG_DATA_WRITE: there is no data session, since the migration feature is not there.</summary>
internal static class MigrationDataCommands
{
    public static VfioResult<int> Carry(ClientSession session, Message request, Reply reply)
    {
        if (!MemoryMarshal.TryRead<MigrationDataStructure>(request.Body, out var asked) || asked.ArgSize < MigrationDataStructure.Size
            || asked.Length > Limits.DataTransfer)
        {
            return Errno.EINVAL;
        }

        var isWrite = request.Header.Command == Command.MigrationDataWrite;
        return isWrite && request.BodyLength - MigrationDataStructure.Size < asked.Length ? Errno.EINVAL : Errno.ENOTTY;
    }
}
