namespace Vfio.Tool;

/// <summary>What the command ends with.</summary>
internal static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int BadArguments = 2;
    public const int Interrupted = 130;
}
