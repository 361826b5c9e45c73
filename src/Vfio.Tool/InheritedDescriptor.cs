using Microsoft.Win32.SafeHandles;
using Vfio.Native;

namespace Vfio.Tool;

/// <summary>Descriptors that the command line names by number: whoever started the tool has opened them for it.</summary>
internal static class InheritedDescriptor
{
    private const int CloseOnExec = 1;

    /// <summary>Takes one over.</summary>
    /// <param name="option">The option that names it.</param>
    /// <param name="number">Its number.</param>
    /// <exception cref="UsageException">
    /// It is not open, or is one that the tool has opened for itself: those close on exec, and no other.
    /// </exception>
    public static SafeFileHandle Take(string option, int number)
    {
        var flags = number < 0 ? -1 : Libc.fcntl(number, Libc.F_GETFD, 0);
        return flags >= 0 && (flags & CloseOnExec) == 0
            ? new SafeFileHandle(number, ownsHandle: true)
            : throw new UsageException(
                $"{option} {number}: no such descriptor was inherited; open it for the tool, as the shell does with {number}>FILE");
    }
}
