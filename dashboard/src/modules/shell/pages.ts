import {
  Blocks,
  Bot,
  Building2,
  Container,
  FlaskConical,
  Gauge,
  KeyRound,
  LayoutDashboard,
  ListTree,
  LockKeyhole,
  type LucideIcon,
  Plus,
  ScrollText,
  Server,
  Store,
  TrendingDown,
  Users,
} from "lucide-react";

export interface NavigationPage {
  readonly title: string;
  readonly path: string;
  /** The keyboard shortcut. */
  readonly keys: string;
  readonly icon: LucideIcon;
  /** The permission that it needs, or a role, as in `role:admin`, which higher roles have too. */
  readonly needs?: string;
}

export const NAVIGATION_GROUPS: readonly { title: string; pages: readonly NavigationPage[] }[] = [
  {
    title: "Work",
    pages: [
      { title: "Overview", path: "/", keys: "g o", icon: LayoutDashboard },
      { title: "Sessions", path: "/sessions/", keys: "g s", icon: ListTree },
      { title: "New session", path: "/sessions/new/", keys: "g n", icon: Plus, needs: "sessions:write" },
    ],
  },
  {
    title: "Fleet",
    pages: [
      { title: "Agents", path: "/agents/", keys: "g a", icon: Bot },
      { title: "Runners", path: "/runners/", keys: "g r", icon: Server, needs: "role:member" },
      { title: "Environments", path: "/environments/", keys: "g e", icon: Container, needs: "environments:read" },
      { title: "Secrets", path: "/secrets/", keys: "g c", icon: LockKeyhole, needs: "secrets:read" },
      { title: "Marketplace", path: "/marketplace/", keys: "g p", icon: Store },
    ],
  },
  {
    title: "Models",
    pages: [
      { title: "Fine-tuning", path: "/fine-tuning/", keys: "g f", icon: TrendingDown, needs: "fine_tuning:read" },
      { title: "Model registry", path: "/models/", keys: "g m", icon: Blocks, needs: "models:read" },
      { title: "Experiments", path: "/experiments/", keys: "g x", icon: FlaskConical, needs: "models:read" },
    ],
  },
  {
    title: "Tenant",
    pages: [
      { title: "Quotas", path: "/quotas/", keys: "g q", icon: Gauge },
      { title: "Members", path: "/members/", keys: "g u", icon: Users },
      { title: "API keys", path: "/keys/", keys: "g k", icon: KeyRound, needs: "api_keys:read" },
      { title: "Audit log", path: "/audit/", keys: "g l", icon: ScrollText, needs: "audit:read" },
      { title: "Tenants", path: "/tenants/", keys: "g t", icon: Building2, needs: "role:admin" },
    ],
  },
];

export const NAVIGATION_PAGES: readonly NavigationPage[] = NAVIGATION_GROUPS.flatMap((group) => group.pages);
