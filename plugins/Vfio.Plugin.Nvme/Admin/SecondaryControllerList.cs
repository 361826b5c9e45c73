namespace Vfio.Plugin.Nvme.Admin;

/// <summary>Finds the secondary controller that a VF is, by asking its primary controller.</summary>
internal static class SecondaryControllerList
{
    /// <summary>Bytes before the first entry.</summary>
    public const int HeaderLength = 32;

    private const byte Cns = 0x15;
    private const int DataLength = 4096;
    private const int MostEntries = 127;

    /// <summary>Looks a VF up.</summary>
    /// <param name="channel">The primary controller's admin queue.</param>
    /// <param name="virtualFunctionIndex">The VF's index, from 0.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Its entry, or why there is none.</returns>
    public static async ValueTask<(SecondaryController? Entry, string? Problem)> FindAsync(
        ICommandChannel channel, int virtualFunctionIndex, CancellationToken cancellationToken)
    {
        var data = new byte[DataLength];
        var completion = new byte[AdminCommand.CompletionLength];
        ushort from = 0;
        while (true)
        {
            var result = await channel.ExecuteAsync(
                AdminCommand.Identify(Cns, from), data, completion, cancellationToken).ConfigureAwait(false);
            if (!result.IsSuccess)
                return (null, $"the primary controller did not answer Identify CNS {Cns:X2}h ({result.Error})");
            if (AdminCommand.Status(completion) is not 0 and var status)
                return (null, $"the primary controller refused Identify CNS {Cns:X2}h with status {status:X3}h");
            int count = data[0];
            if (count > MostEntries)
                return (null, $"the primary controller's secondary controller list claims {count} entries; {MostEntries} fit");
            ushort last = 0;
            for (var i = 0; i < count; i++)
            {
                var entry = SecondaryController.Read(data, i);
                if (entry.VirtualFunctionNumber == virtualFunctionIndex + 1)
                    return (entry, null);
                last = entry.ControllerId;
            }

            // A full list may go on behind its last entry; one that does not advance ends here instead of turning for ever.
            if (count < MostEntries || last == ushort.MaxValue || last < from)
                return (null, $"the primary controller has no secondary controller for VF {virtualFunctionIndex}");
            from = (ushort)(last + 1);
        }
    }
}
